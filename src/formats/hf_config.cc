#include "formats/hf_config.h"

#include <fmt/format.h>

namespace carat {
namespace {

// A tokenizer_config.json that lists every added token has about 1 MiB.
constexpr size_t kMaxBytes = size_t{8} << 20;
constexpr int kMaxDepth = 64;

}  // namespace

Result<Json> ParseConfigJson(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return Malformed(fmt::format("it has {} bytes; at most {} are allowed",
                                 text.size(), kMaxBytes));
  }
  CARAT_ASSIGN_OR_RETURN(Json json, Json::Parse(text, kMaxDepth));
  if (!json.is_object()) {
    return Malformed(
        fmt::format("it should be a JSON object but is {}", json.type_name()));
  }
  return json;
}

Result<std::string> ChatTemplateOf(const Json& config) {
  const Json* value = config.Find("chat_template");
  if (value == nullptr || value->is_null()) return std::string();
  if (value->is_string()) return value->as_string();
  if (!value->is_array()) {
    return Malformed(
        fmt::format("its chat_template should be a string or a list of named "
                    "templates but is {}",
                    value->type_name()));
  }
  const std::string* only = nullptr;
  for (const Json& entry : value->as_array()) {
    const Json* name = entry.Find("name");
    const Json* text = entry.Find("template");
    if (name == nullptr || !name->is_string() || text == nullptr ||
        !text->is_string()) {
      return Malformed(
          "each of its chat templates needs a name and a template,"
          " both strings");
    }
    if (name->as_string() == "default") return text->as_string();
    only = &text->as_string();
  }
  return only != nullptr && value->as_array().size() == 1 ? *only
                                                          : std::string();
}

}  // namespace carat
