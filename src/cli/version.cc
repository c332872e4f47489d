#include <CLI/CLI.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/versions.h"

namespace carat {

void AddVersionCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command =
      app.add_subcommand("version", "Print versions of carat and its parts");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON object");
  command->footer("Example:\n  carat version --json");
  command->callback([json, chosen] {
    *chosen = [json] {
      const Json versions = Versions();
      if (*json) {
        Print(versions.Dump(2) + "\n");
        return kExitOk;
      }
      for (const auto& [name, value] : versions.as_object()) {
        Print(name + " " + value.as_string() + "\n");
      }
      return kExitOk;
    };
  });
}

}  // namespace carat
