#include "api/fields.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace carat {
namespace {

// "max_items" for "maxItems".
std::string SnakeCase(std::string_view camel) {
  std::string out;
  for (const char c : camel) {
    if (c >= 'A' && c <= 'Z') {
      out += '_';
      out += static_cast<char>(c - 'A' + 'a');
    } else {
      out += c;
    }
  }
  return out;
}

std::optional<double> ReadNumber(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::optional<int64_t> Whole(double value) {
  if (value != std::floor(value) || std::abs(value) >= 9e15) {
    return std::nullopt;
  }
  return static_cast<int64_t>(value);
}

}  // namespace

std::optional<int64_t> WholeNumber(const Json& value) {
  if (value.is_int()) return value.as_int();
  return value.is_double() ? Whole(value.as_double()) : std::nullopt;
}

Fields::Fields(const Json& object, std::string where, Style style)
    : object_(object), where_(std::move(where)), style_(style) {
  if (!object_.is_object()) {
    status_ = InvalidArgument(fmt::format(
        "{} must be a JSON object, found {}.",
        where_.empty() ? "The request's body" : where_, object_.type_name()));
  }
}

const Json* Fields::Any(std::string_view name) const {
  const Json* found = object_.Find(name);
  if (!found && style_ == Style::kProto) found = object_.Find(SnakeCase(name));
  return found && !found->is_null() ? found : nullptr;
}

std::string Fields::Path(std::string_view name) const {
  return where_.empty() ? std::string(name)
                        : fmt::format("{}.{}", where_, name);
}

void Fields::Fail(std::string_view name, std::string_view expected) {
  if (!status_.ok()) return;
  const Json* found = Any(name);
  status_ = InvalidArgument(
      fmt::format("'{}' must be {}, found {}.", Path(name), expected,
                  found ? found->type_name() : "nothing"));
}

std::optional<std::string> Fields::String(std::string_view name) {
  const Json* found = Any(name);
  if (!found) return std::nullopt;
  if (found->is_string()) return found->as_string();
  Fail(name, "a string");
  return std::nullopt;
}

std::optional<bool> Fields::Bool(std::string_view name) {
  const Json* found = Any(name);
  if (!found) return std::nullopt;
  if (found->is_bool()) return found->as_bool();
  Fail(name, "true or false");
  return std::nullopt;
}

std::optional<double> Fields::Number(std::string_view name) {
  const Json* found = Any(name);
  if (!found) return std::nullopt;
  if (found->is_number()) return found->as_double();
  if (style_ == Style::kProto && found->is_string()) {
    if (const auto value = ReadNumber(found->as_string())) return value;
  }
  Fail(name, "a number");
  return std::nullopt;
}

std::optional<int64_t> Fields::Int(std::string_view name) {
  const Json* found = Any(name);
  if (!found) return std::nullopt;
  std::optional<int64_t> value = WholeNumber(*found);
  if (style_ == Style::kProto && found->is_string()) {
    const auto number = ReadNumber(found->as_string());
    if (number) value = Whole(*number);
  }
  if (value) return value;
  Fail(name, "an integer");
  return std::nullopt;
}

const Json* Fields::Array(std::string_view name) {
  const Json* found = Any(name);
  if (!found || found->is_array()) return found;
  Fail(name, "an array");
  return nullptr;
}

const Json* Fields::Object(std::string_view name) {
  const Json* found = Any(name);
  if (!found || found->is_object()) return found;
  Fail(name, "an object");
  return nullptr;
}

std::vector<std::string> Fields::Strings(std::string_view name) {
  std::vector<std::string> out;
  const Json* found = Any(name);
  if (!found) return out;
  if (found->is_string()) return {found->as_string()};
  if (found->is_array()) {
    for (const Json& item : found->as_array()) {
      if (!item.is_string()) {
        Fail(name, "a string or an array of strings");
        return {};
      }
      out.push_back(item.as_string());
    }
    return out;
  }
  Fail(name, "a string or an array of strings");
  return out;
}

}  // namespace carat
