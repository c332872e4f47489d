#include "base/utf8.h"

#include <cstdint>
#include <cstring>

#include "base/json.h"

namespace carat {
namespace {

// What may follow a lead byte: how many bytes in all, and the range of the
// second one (Unicode 15, table 3-7). size 0: not a lead byte.
struct Lead {
  int size;
  uint8_t low, high;
};

Lead Classify(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// Length of the run of ASCII at the start of `text`.
size_t AsciiRun(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080u) break;
  }
  while (i < text.size() && static_cast<uint8_t>(text[i]) < 0x80) ++i;
  return i;
}

}  // namespace

Utf8Char DecodeUtf8(std::string_view text) {
  Utf8Char result;
  if (text.empty()) return result;
  const uint8_t first = static_cast<uint8_t>(text[0]);
  const Lead lead = Classify(first);
  result.size = 1;
  if (lead.size == 0) return result;
  if (lead.size == 1) {
    result.code = first;
    result.valid = true;
    return result;
  }
  char32_t code = first & (0x7Fu >> lead.size);
  for (int i = 1; i < lead.size; ++i) {
    result.size = static_cast<size_t>(i);
    if (result.size == text.size()) {
      result.incomplete = true;
      return result;
    }
    const uint8_t byte = static_cast<uint8_t>(text[result.size]);
    const uint8_t low = i == 1 ? lead.low : 0x80;
    const uint8_t high = i == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) return result;
    code = code << 6 | (byte & 0x3Fu);
  }
  result.size = static_cast<size_t>(lead.size);
  result.code = code;
  result.valid = true;
  return result;
}

void AppendUtf8(char32_t code, std::string* out) {
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    code = kReplacementCharacter;
  }
  const auto tail = [&](int shift) {
    out->push_back(static_cast<char>(0x80 | (code >> shift & 0x3F)));
  };
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xC0 | code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | code >> 12));
    tail(6);
    tail(0);
  } else {
    out->push_back(static_cast<char>(0xF0 | code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

size_t FirstInvalidUtf8(std::string_view text) {
  size_t i = 0;
  while (true) {
    i += AsciiRun(text.substr(i));
    if (i == text.size()) return i;
    const Utf8Char c = DecodeUtf8(text.substr(i));
    if (!c.valid) return i;
    i += c.size;
  }
}

std::string SanitizeUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t good = FirstInvalidUtf8(text);
    out.append(text.substr(0, good));
    text.remove_prefix(good);
    if (text.empty()) break;
    AppendUtf8(kReplacementCharacter, &out);
    text.remove_prefix(DecodeUtf8(text).size);
  }
  return out;
}

size_t CompleteUtf8Prefix(std::string_view text) {
  // An incomplete character is at most three bytes long.
  const size_t first = text.size() < 3 ? 0 : text.size() - 3;
  for (size_t i = first; i < text.size(); ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xC0) == 0x80) continue;
    if (DecodeUtf8(text.substr(i)).incomplete) return i;
  }
  return text.size();
}

std::string QuoteForMessage(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return JsonQuote(text);
  const std::string_view cut = text.substr(0, max_bytes);
  return JsonQuote(cut.substr(0, CompleteUtf8Prefix(cut))) + "...";
}

}  // namespace carat
