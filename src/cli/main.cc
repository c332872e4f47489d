// carat: every open Gemma model on an ordinary computer.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <new>
#include <string>

#include "cli/command.h"
#include "cli/terminal.h"

namespace carat {
namespace {

constexpr const char* kFooter =
    "MODEL is a .gguf file, a folder with safetensors, config.json and\n"
    "tokenizer.json, or the name of a model that Ollama, Hugging Face or LM\n"
    "Studio has put on this machine, or carat pull (see carat list).\n"
    "\n"
    "Examples:\n"
    "  carat pull gemma3:270m\n"
    "  carat run gemma3:270m \"Why is the sky blue?\"\n"
    "  carat chat ./gemma-3-1b-it-q4_0.gguf\n"
    "  carat show gemma3 --ctx 32768\n"
    "  carat COMMAND --help";

// CLI11's own messages know nothing of where to look next.
int UsageError(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  for (const CLI::App* sub : app.get_subcommands()) command = sub;
  std::string name = "carat";
  if (command != &app) name += " " + command->get_name();
  return FailUsage(fmt::format("{}. See {} --help.", error.what(), name));
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Runs open Gemma models on an ordinary computer.", "carat");
  app.footer(kFooter);
  app.require_subcommand(0, 1);
  bool version = false;
  app.add_flag("--version", version, "Print the version and stop");
  app.get_formatter()->column_width(30);
  CommandMain chosen;
  AddRunCommand(app, &chosen);
  AddChatCommand(app, &chosen);
  AddServeCommand(app, &chosen);
  AddShowCommand(app, &chosen);
  AddListCommand(app, &chosen);
  AddPullCommand(app, &chosen);
  AddRmCommand(app, &chosen);
  AddPsCommand(app, &chosen);
  AddTokenizeCommand(app, &chosen);
  AddRenderCommand(app, &chosen);
  AddParseCommand(app, &chosen);
  AddScoreCommand(app, &chosen);
  AddBenchCommand(app, &chosen);
  AddDoctorCommand(app, &chosen);
  AddDumpCommand(app, &chosen);
  AddVersionCommand(app, &chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    Print(app.help());
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return UsageError(app, error);
  }
  if (version) {
    Print(std::string("carat ") + CARAT_VERSION + "\n");
    return kExitOk;
  }
  if (!chosen) {
    PrintNote(app.help());
    return kExitUsage;
  }
  return chosen();
}

}  // namespace
}  // namespace carat

int main(int argc, char** argv) {
  // Nothing below is meant to throw; memory may still run out.
  try {
    return carat::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    return carat::Fail(carat::ResourceExhausted("Memory ran out."));
  } catch (const std::exception& error) {
    return carat::Fail(carat::Internal(error.what()));
  }
}
