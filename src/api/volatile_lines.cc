#include "api/volatile_lines.h"

#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>
#include <variant>

namespace carat {
namespace {

// Claude Code's, also behind proxies that translate its requests:
// "x-anthropic-billing-header: cc_version=2.1.0; cc_entrypoint=cli; cch=1f;".
constexpr std::string_view kBilling = "x-anthropic-billing-header:";

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

size_t SkipBlanks(std::string_view text, size_t at) {
  while (at < text.size() && IsBlank(text[at])) ++at;
  return at;
}

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// The end of "name=value;" at `at`, or of "name=value" that ends its line;
// `at` when there is no such thing.
size_t SkipPair(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && IsNameByte(text[end])) ++end;
  if (end == at || end == text.size() || text[end] != '=') return at;
  while (end < text.size() && text[end] != ';' && text[end] != '\n' &&
         !IsBlank(text[end])) {
    ++end;
  }
  if (end < text.size() && text[end] == ';') return end + 1;
  const size_t rest = SkipBlanks(text, end);
  return rest == text.size() || text[rest] == '\n' ? end : at;
}

// Bytes of `text`, from the start of a line, that the header takes up with its
// line feed; 0 without one. Text glued to its end stays.
size_t HeaderBytes(std::string_view text) {
  if (!text.starts_with(kBilling)) return 0;
  size_t end = SkipBlanks(text, kBilling.size());
  size_t pairs = 0;
  for (size_t next; (next = SkipPair(text, end)) != end; ++pairs) {
    end = SkipBlanks(text, next);
  }
  if (pairs == 0) return 0;
  return end < text.size() && text[end] == '\n' ? end + 1 : end;
}

}  // namespace

std::string WithoutVolatileLines(std::string text) {
  size_t at = 0;
  while (at < text.size()) {
    if (const size_t bytes = HeaderBytes(std::string_view(text).substr(at))) {
      text.erase(at, bytes);
      continue;
    }
    const size_t feed = text.find('\n', at);
    if (feed == std::string::npos) break;
    at = feed + 1;
  }
  return text;
}

void DropVolatileLines(std::vector<Message>* messages) {
  const auto drop = [](Message& message) {
    if (message.role != Role::kSystem && message.role != Role::kDeveloper) {
      return false;
    }
    bool dropped = false;
    for (auto part = message.parts.begin(); part != message.parts.end();) {
      Text* text = std::get_if<Text>(&*part);
      const size_t before = text == nullptr ? 0 : text->text.size();
      if (text != nullptr) {
        text->text = WithoutVolatileLines(std::move(text->text));
      }
      const bool changed = text != nullptr && text->text.size() != before;
      dropped |= changed;
      part = changed && text->text.empty() ? message.parts.erase(part)
                                           : std::next(part);
    }
    return dropped && message.parts.empty();
  };
  std::erase_if(*messages, drop);
}

}  // namespace carat
