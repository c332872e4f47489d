#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr uint64_t kLargestInt64 =
    static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

// Builds a Json from the parser's events. open_ points at the containers that
// are not closed yet; a parent does not grow while a child is open, so the
// pointers stay good.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TreeBuilder(int max_depth) : max_depth_(max_depth) {}

  bool null() override { return Put(Json()); }
  bool boolean(bool value) override { return Put(Json(value)); }
  bool number_integer(number_integer_t value) override {
    return Put(Json(static_cast<int64_t>(value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return Put(Json(static_cast<uint64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override {
    return Put(Json(value));
  }
  bool string(string_t& value) override { return Put(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(Json::MakeObject()); }
  bool start_array(size_t) override { return Open(Json::MakeArray()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& value) override {
    open_.back()->as_object().emplace_back(std::move(value), Json());
    return true;
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    error_ = Malformed(fmt::format("invalid JSON at byte {}: {}", position,
                                   Reason(error.what())));
    return false;
  }

  Status TakeError() {
    if (!error_.ok()) return std::move(error_);
    return Malformed("invalid JSON");
  }
  Json TakeRoot() { return std::move(root_); }

 private:
  // The library's text without its code and position, cut and repaired: it
  // quotes what it read.
  static std::string Reason(std::string_view text) {
    const size_t column = text.find("column ");
    const size_t colon = text.find(": ", column == text.npos ? 0 : column);
    if (colon != text.npos) text.remove_prefix(colon + 2);
    constexpr size_t kLongest = 160;
    if (text.size() <= kLongest) return SanitizeUtf8(text);
    text = text.substr(0, kLongest);
    return SanitizeUtf8(text.substr(0, CompleteUtf8Prefix(text))) + "...";
  }

  // Where a finished value goes.
  Json* Place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json* parent = open_.back();
    if (parent->is_array()) {
      parent->as_array().push_back(std::move(value));
      return &parent->as_array().back();
    }
    Json& member = parent->as_object().back().second;
    member = std::move(value);
    return &member;
  }
  bool Put(Json value) {
    Place(std::move(value));
    return true;
  }
  bool Open(Json value) {
    if (open_.size() >= static_cast<size_t>(std::max(max_depth_, 0))) {
      error_ = Malformed(fmt::format(
          "JSON is nested deeper than the limit of {} levels", max_depth_));
      return false;
    }
    open_.push_back(Place(std::move(value)));
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  const int max_depth_;
  Json root_;
  std::vector<Json*> open_;
  Status error_;
};

void AppendQuoted(std::string_view text, std::string* out) {
  if (!IsValidUtf8(text)) {
    AppendQuoted(SanitizeUtf8(text), out);
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\b':
        *out += "\\b";
        break;
      case '\f':
        *out += "\\f";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          *out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

void AppendDouble(double value, std::string* out) {
  if (!std::isfinite(value)) {
    *out += "null";
    return;
  }
  const std::string text = fmt::format("{}", value);
  *out += text;
  if (text.find_first_of(".e") == text.npos) *out += ".0";
}

class Writer {
 public:
  Writer(int indent, std::string* out) : indent_(indent), out_(out) {}

  void Write(const Json& value) {
    if (value.is_null()) {
      *out_ += "null";
    } else if (value.is_bool()) {
      *out_ += value.as_bool() ? "true" : "false";
    } else if (value.is_int()) {
      *out_ += fmt::format("{}", value.as_int());
    } else if (value.is_double()) {
      AppendDouble(value.as_double(), out_);
    } else if (value.is_string()) {
      AppendQuoted(value.as_string(), out_);
    } else if (value.is_array()) {
      Block('[', ']', value.as_array(), [&](const Json& v) { Write(v); });
    } else {
      Block('{', '}', value.as_object(), [&](const Json::Member& member) {
        AppendQuoted(member.first, out_);
        *out_ += indent_ < 0 ? ":" : ": ";
        Write(member.second);
      });
    }
  }

 private:
  template <typename Items, typename WriteItem>
  void Block(char open, char close, const Items& items, WriteItem write_item) {
    out_->push_back(open);
    ++depth_;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_->push_back(',');
      first = false;
      NewLine();
      write_item(item);
    }
    --depth_;
    if (!first) NewLine();
    out_->push_back(close);
  }
  void NewLine() {
    if (indent_ < 0) return;
    out_->push_back('\n');
    out_->append(static_cast<size_t>(depth_) * indent_, ' ');
  }

  const int indent_;
  int depth_ = 0;
  std::string* out_;
};

}  // namespace

Json::~Json() = default;
Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;

Json::Json(uint64_t value) {
  if (value <= kLargestInt64) {
    value_ = static_cast<int64_t>(value);
  } else {
    value_ = static_cast<double>(value);
  }
}

const char* Json::type_name() const {
  static constexpr const char* kNames[] = {
      "null", "boolean", "integer", "number", "string", "array", "object"};
  return kNames[value_.index()];
}

double Json::as_double() const {
  if (is_int()) return static_cast<double>(as_int());
  return std::get<double>(value_);
}

const Json* Json::Find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const Object& members = as_object();
  for (auto it = members.rbegin(); it != members.rend(); ++it) {
    if (it->first == key) return &it->second;
  }
  return nullptr;
}

Json* Json::Find(std::string_view key) {
  return const_cast<Json*>(static_cast<const Json*>(this)->Find(key));
}

Json& Json::Set(std::string_view key, Json value) {
  if (is_null()) value_ = Object{};
  if (Json* found = Find(key)) {
    *found = std::move(value);
    return *found;
  }
  Object& members = as_object();
  members.emplace_back(std::string(key), std::move(value));
  return members.back().second;
}

void Json::Erase(std::string_view key) {
  if (!is_object()) return;
  std::erase_if(as_object(), [&](const Member& m) { return m.first == key; });
}

void Json::Append(Json value) {
  if (is_null()) value_ = Array{};
  as_array().push_back(std::move(value));
}

Result<Json> Json::Parse(std::string_view text, int max_depth) {
  // The parser behind takes a NUL for the end and would ignore what follows.
  const size_t nul = text.find('\0');
  if (nul != text.npos) {
    return Malformed(fmt::format("invalid JSON at byte {}: a NUL byte", nul));
  }
  try {
    TreeBuilder builder(max_depth);
    if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
      return builder.TakeError();
    }
    return builder.TakeRoot();
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("not enough memory to parse the JSON text");
  } catch (const std::exception& error) {
    return Internal(fmt::format("JSON parser failed: {}", error.what()));
  }
}

std::string Json::Dump(int indent) const {
  std::string out;
  Writer(indent, &out).Write(*this);
  return out;
}

std::string JsonQuote(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendQuoted(text, &out);
  return out;
}

}  // namespace carat
