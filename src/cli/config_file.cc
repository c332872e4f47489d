#include "cli/config_file.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <sstream>
#include <vector>

#include "base/utf8.h"
#include "cli/read_file.h"

namespace carat {
namespace {

Status Wrong(const std::string& path, const std::string& what) {
  return InvalidArgument(
      fmt::format("{}: {}", QuoteForMessage(path, 200), what));
}

Status Apply(const CLI::ConfigItem& item, const std::string& path,
             CLI::App* command) {
  const std::string name = item.fullname();
  CLI::Option* option = command->get_option_no_throw("--" + item.name);
  // MODEL has no dashes.
  if (option == nullptr) option = command->get_option_no_throw(item.name);
  if (!item.parents.empty() || option == nullptr || item.name == "help" ||
      item.name == "config") {
    return Wrong(path, fmt::format("carat {} has no option {}; see carat {} "
                                   "--help.",
                                   command->get_name(), QuoteForMessage(name),
                                   command->get_name()));
  }
  if (!option->empty()) return OkStatus();
  try {
    if (option->get_expected_min() == 0) {
      option->add_result(
          option->get_flag_value(item.name, CLI::ConfigTOML().to_flag(item)));
    } else {
      option->add_result(item.inputs);
    }
    option->run_callback();
  } catch (const CLI::Error& error) {
    return Wrong(path, fmt::format("{}: {}.", name, error.what()));
  }
  return OkStatus();
}

}  // namespace

Status ApplyConfigFile(const std::string& path, CLI::App* command) {
  CARAT_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  std::vector<CLI::ConfigItem> items;
  try {
    std::istringstream in(text);
    items = CLI::ConfigTOML().from_config(in);
  } catch (const CLI::Error& error) {
    return Wrong(path, fmt::format("{}.", error.what()));
  }
  for (const CLI::ConfigItem& item : items) {
    // A section opens and closes with these.
    if (item.name == "++" || item.name == "--") {
      return Wrong(path,
                   "sections are not used here; expected lines such as "
                   "port = 11435.");
    }
    CARAT_RETURN_IF_ERROR(Apply(item, path, command));
  }
  return OkStatus();
}

}  // namespace carat
