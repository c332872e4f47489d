#include "grammar/char_class.h"

#include <algorithm>

namespace carat {
namespace {

constexpr char32_t kMaxCode = 0x10FFFF;

int SpellCode(char32_t code, uint8_t out[4]) {
  if (code < 0x80) {
    out[0] = static_cast<uint8_t>(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = static_cast<uint8_t>(0xC0 | code >> 6);
    out[1] = static_cast<uint8_t>(0x80 | (code & 0x3F));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = static_cast<uint8_t>(0xE0 | code >> 12);
    out[1] = static_cast<uint8_t>(0x80 | (code >> 6 & 0x3F));
    out[2] = static_cast<uint8_t>(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = static_cast<uint8_t>(0xF0 | code >> 18);
  out[1] = static_cast<uint8_t>(0x80 | (code >> 12 & 0x3F));
  out[2] = static_cast<uint8_t>(0x80 | (code >> 6 & 0x3F));
  out[3] = static_cast<uint8_t>(0x80 | (code & 0x3F));
  return 4;
}

// Splits [lo, hi] until every byte position is an independent range.
void Split(char32_t lo, char32_t hi, std::vector<std::vector<ByteRange>>* out) {
  if (lo > hi) return;
  for (char32_t limit : {char32_t{0x7F}, char32_t{0x7FF}, char32_t{0xFFFF}}) {
    if (lo <= limit && hi > limit) {
      Split(lo, limit, out);
      Split(limit + 1, hi, out);
      return;
    }
  }
  for (int shift : {6, 12, 18}) {
    const char32_t low_bits = (char32_t{1} << shift) - 1;
    if (hi < 0x80 || (lo & ~low_bits) == (hi & ~low_bits)) continue;
    if ((lo & low_bits) != 0) {
      Split(lo, lo | low_bits, out);
      Split((lo | low_bits) + 1, hi, out);
      return;
    }
    if ((hi & low_bits) != low_bits) {
      Split(lo, (hi & ~low_bits) - 1, out);
      Split(hi & ~low_bits, hi, out);
      return;
    }
  }
  uint8_t first[4], last[4];
  const int size = SpellCode(lo, first);
  SpellCode(hi, last);
  std::vector<ByteRange> bytes;
  for (int i = 0; i < size; ++i) bytes.push_back({first[i], last[i]});
  out->push_back(std::move(bytes));
}

}  // namespace

CharClass::CharClass(std::vector<CodeRange> ranges)
    : ranges_(std::move(ranges)) {
  Normalize();
}

CharClass CharClass::Any() {
  return CharClass({{0, 0xD7FF}, {0xE000, kMaxCode}});
}

void CharClass::Add(char32_t lo, char32_t hi) {
  ranges_.push_back({lo, std::min(hi, kMaxCode)});
  Normalize();
}

void CharClass::Add(const CharClass& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  Normalize();
}

void CharClass::Normalize() {
  std::sort(ranges_.begin(), ranges_.end(),
            [](const CodeRange& a, const CodeRange& b) { return a.lo < b.lo; });
  std::vector<CodeRange> merged;
  for (const CodeRange& range : ranges_) {
    if (range.lo > range.hi) continue;
    if (!merged.empty() && range.lo <= merged.back().hi + 1) {
      merged.back().hi = std::max(merged.back().hi, range.hi);
    } else {
      merged.push_back(range);
    }
  }
  ranges_ = std::move(merged);
}

CharClass CharClass::Complement() const {
  std::vector<CodeRange> gaps;
  char32_t next = 0;
  for (const CodeRange& range : ranges_) {
    if (range.lo > next) gaps.push_back({next, range.lo - 1});
    next = range.hi + 1;
  }
  if (next <= kMaxCode) gaps.push_back({next, kMaxCode});
  return CharClass(std::move(gaps));
}

void CharClass::FoldAsciiCase() {
  std::vector<CodeRange> extra;
  for (const CodeRange& range : ranges_) {
    for (const auto& [from, to] :
         {std::pair<char32_t, char32_t>{'A', 'a'}, {'a', 'A'}}) {
      const char32_t lo = std::max(range.lo, from);
      const char32_t hi = std::min<char32_t>(range.hi, from + 25);
      if (lo <= hi) extra.push_back({lo - from + to, hi - from + to});
    }
  }
  ranges_.insert(ranges_.end(), extra.begin(), extra.end());
  Normalize();
}

std::vector<std::vector<ByteRange>> Utf8Ranges(const CharClass& chars) {
  std::vector<std::vector<ByteRange>> out;
  for (const CodeRange& range : chars.ranges()) {
    Split(range.lo, std::min(range.hi, char32_t{0xD7FF}), &out);
    Split(std::max(range.lo, char32_t{0xE000}), range.hi, &out);
  }
  return out;
}

}  // namespace carat
