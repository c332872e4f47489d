#include "cli/tools_file.h"

#include <fmt/format.h>

#include <charconv>
#include <set>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "chat/tools_json.h"
#include "cli/read_file.h"

namespace carat {
namespace {

constexpr int64_t kMaxTimeoutSeconds = 3600;
constexpr int64_t kMaxOutputBytes = 16 << 20;

Status ReadNumber(const ExactJson& source, const char* name, int64_t max,
                  int64_t* out) {
  const ExactJson* value = source.Find(name);
  if (value == nullptr) return OkStatus();
  const char* const begin = value->text.data();
  const char* const end = begin + value->text.size();
  int64_t number = 0;
  const bool good = value->is_number() &&
                    std::from_chars(begin, end, number).ptr == end &&
                    number >= 1 && number <= max;
  if (!good) {
    return InvalidArgument(
        fmt::format("\"{}\" must be a whole number from 1 to {}, but it is {}.",
                    name, max, QuoteForMessage(value->Dump())));
  }
  *out = number;
  return OkStatus();
}

Result<ToolCommand> ReadCommand(const ExactJson& source,
                                const ExactJson& given) {
  ToolCommand command;
  bool good = given.is_array() && !given.items.empty();
  for (const ExactJson& item : given.items) {
    good =
        good && item.is_string() && item.text.find('\0') == std::string::npos;
    command.argv.push_back(item.text);
  }
  if (!good || command.argv[0].empty()) {
    return InvalidArgument(
        "\"command\" must be a list of strings, the program first, such as "
        "[\"python3\", \"weather.py\"]; no shell reads it.");
  }
  CARAT_RETURN_IF_ERROR(ReadNumber(source, "timeout_s", kMaxTimeoutSeconds,
                                   &command.timeout_seconds));
  CARAT_RETURN_IF_ERROR(ReadNumber(source, "max_output_bytes", kMaxOutputBytes,
                                   &command.max_output_bytes));
  return command;
}

}  // namespace

Result<ToolsFile> ReadToolsFile(const std::string& path) {
  CARAT_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  Result<ExactJson> json = ExactJson::Parse(text);
  if (!json.ok()) return json.status().WithContext(path);
  Result<std::vector<DeclaredTool>> tools = DeclaredToolsFromJson(*json);
  if (!tools.ok()) return tools.status().WithContext(path);
  ToolsFile out;
  std::set<std::string> names;
  for (DeclaredTool& tool : *tools) {
    if (!names.insert(tool.declaration.name).second) {
      return InvalidArgument(
          fmt::format("{}: the tool {} is declared twice; names must differ.",
                      path, QuoteForMessage(tool.declaration.name)));
    }
    if (const ExactJson* command = tool.source.Find("command")) {
      Result<ToolCommand> read = ReadCommand(tool.source, *command);
      if (!read.ok()) {
        return read.status().WithContext(fmt::format(
            "{}: tool {}", path, QuoteForMessage(tool.declaration.name)));
      }
      out.commands[tool.declaration.name] = std::move(*read);
    }
    out.declarations.push_back(std::move(tool.declaration));
  }
  return out;
}

}  // namespace carat
