// The commands of the program: one file each, cli/NAME.cc. A command adds a
// subcommand with its options to the parser and, when it is the one typed,
// leaves what to do in `chosen`.
#ifndef CARAT_CLI_COMMAND_H_
#define CARAT_CLI_COMMAND_H_

#include <functional>

#include "base/status.h"

namespace CLI {
class App;
}  // namespace CLI

namespace carat {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;

// Runs the command; returns the program's exit code.
using CommandMain = std::function<int()>;

void AddRunCommand(CLI::App& app, CommandMain* chosen);
void AddChatCommand(CLI::App& app, CommandMain* chosen);
void AddServeCommand(CLI::App& app, CommandMain* chosen);
void AddShowCommand(CLI::App& app, CommandMain* chosen);
void AddTokenizeCommand(CLI::App& app, CommandMain* chosen);
void AddRenderCommand(CLI::App& app, CommandMain* chosen);
void AddParseCommand(CLI::App& app, CommandMain* chosen);
void AddScoreCommand(CLI::App& app, CommandMain* chosen);
void AddBenchCommand(CLI::App& app, CommandMain* chosen);
void AddDoctorCommand(CLI::App& app, CommandMain* chosen);
void AddListCommand(CLI::App& app, CommandMain* chosen);
void AddPullCommand(CLI::App& app, CommandMain* chosen);
void AddRmCommand(CLI::App& app, CommandMain* chosen);
void AddPsCommand(CLI::App& app, CommandMain* chosen);
void AddDumpCommand(CLI::App& app, CommandMain* chosen);
void AddVersionCommand(CLI::App& app, CommandMain* chosen);

// Prints "carat: error: ..." and returns the exit code for it.
int Fail(const Status& status);
// The same for a command line that makes no sense.
int FailUsage(const std::string& message);

}  // namespace carat

#endif  // CARAT_CLI_COMMAND_H_
