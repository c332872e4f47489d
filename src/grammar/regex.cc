#include "grammar/regex.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr int kMaxNesting = 100;
constexpr int kMaxRepeat = 10000;
constexpr size_t kMaxPatternBytes = 65536;
constexpr Nfa::Limits kLimits{.states = 30000, .items = 2000000};

CharClass Digits() { return CharClass({{'0', '9'}}); }
CharClass WordChars() {
  return CharClass({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
}
// Validators disagree about whitespace: ECMA-262 counts U+FEFF, Python counts
// U+001C to U+001F and U+0085. What is written must pass both, so \s is what
// both count and \S what neither does.
CharClass SpacesOfAll() {
  return CharClass({{'\t', '\r'},
                    {' ', ' '},
                    {0xA0, 0xA0},
                    {0x1680, 0x1680},
                    {0x2000, 0x200A},
                    {0x2028, 0x2029},
                    {0x202F, 0x202F},
                    {0x205F, 0x205F},
                    {0x3000, 0x3000}});
}
CharClass SpacesOfAny() {
  CharClass spaces = SpacesOfAll();
  spaces.Add(0x1C, 0x1F);
  spaces.Add(0x85, 0x85);
  spaces.Add(0xFEFF, 0xFEFF);
  return spaces;
}
CharClass NotLineEnd() {
  return CharClass({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}).Complement();
}

class RegexParser {
 public:
  RegexParser(std::string_view pattern, ExprBuilder* builder)
      : pattern_(pattern), b_(builder) {}

  Result<Expr> Parse() {
    if (pattern_.size() > kMaxPatternBytes) {
      return ResourceExhausted(
          fmt::format("The pattern is {} bytes long; at most {} are allowed.",
                      pattern_.size(), kMaxPatternBytes));
    }
    if (!IsValidUtf8(pattern_)) return Bad("is not valid UTF-8");
    CARAT_ASSIGN_OR_RETURN(Expr all, Alternatives(0));
    if (at_ < pattern_.size()) return Bad("has a closing ) too many");
    return all;
  }

 private:
  Status Bad(std::string_view what) const {
    return Malformed(fmt::format("The pattern {} {} (at byte {}).",
                                 QuoteForMessage(pattern_), what, at_));
  }
  Status Missing(std::string_view what) const {
    return Unsupported(fmt::format(
        "The pattern {} uses {} (at byte {}), which constrained decoding does "
        "not support.",
        QuoteForMessage(pattern_), what, at_));
  }
  bool AtEnd() const { return at_ >= pattern_.size(); }
  char Peek() const { return AtEnd() ? '\0' : pattern_[at_]; }
  bool Skip(std::string_view text) {
    if (pattern_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  char32_t NextChar() {
    const Utf8Char c = DecodeUtf8(pattern_.substr(at_));
    at_ += c.size;
    return c.code;
  }

  Result<Expr> Alternatives(int depth);
  Result<Expr> Sequence(int depth);
  Result<Expr> Atom(int depth);
  Result<Expr> Group(int depth);
  Result<Expr> Quantified(Expr atom);
  std::optional<int> Number();
  enum class Place { kOutside, kClass, kNegatedClass };
  Result<CharClass> Escape(Place place);
  Result<CharClass> Class();
  std::optional<char32_t> Hex(size_t digits);
  Result<char32_t> UnicodeEscape();

  const std::string_view pattern_;
  size_t at_ = 0;
  ExprBuilder* b_;
};

Result<Expr> RegexParser::Alternatives(int depth) {
  if (depth > kMaxNesting) return Bad("nests its groups too deeply");
  std::vector<Expr> choices;
  do {
    CARAT_ASSIGN_OR_RETURN(Expr choice, Sequence(depth));
    choices.push_back(choice);
  } while (Skip("|"));
  return b_->Alt(std::move(choices));
}

Result<Expr> RegexParser::Sequence(int depth) {
  std::vector<Expr> parts = {b_->Empty()};
  while (!AtEnd() && Peek() != '|' && Peek() != ')') {
    if (Skip("^")) {
      parts.push_back(b_->Begin());
      continue;
    }
    if (Skip("$")) {
      parts.push_back(b_->End());
      continue;
    }
    CARAT_ASSIGN_OR_RETURN(const Expr atom, Atom(depth));
    CARAT_ASSIGN_OR_RETURN(const Expr repeated, Quantified(atom));
    parts.push_back(repeated);
  }
  return b_->Seq(std::move(parts));
}

Result<Expr> RegexParser::Atom(int depth) {
  const char c = Peek();
  if (c == '(') return Group(depth);
  if (c == '[') {
    CARAT_ASSIGN_OR_RETURN(CharClass chars, Class());
    return b_->Chars(std::move(chars));
  }
  if (c == '\\') {
    CARAT_ASSIGN_OR_RETURN(CharClass chars, Escape(Place::kOutside));
    return b_->Chars(std::move(chars));
  }
  if (c == '.') {
    ++at_;
    return b_->Chars(NotLineEnd());
  }
  if (c == '*' || c == '+' || c == '?') {
    return Bad("has a quantifier with nothing before it");
  }
  const char32_t code = NextChar();
  return b_->Chars(CharClass({{code, code}}));
}

Result<Expr> RegexParser::Group(int depth) {
  ++at_;
  if (Skip("?")) {
    if (Skip("=") || Skip("!") || Skip("<=") || Skip("<!")) {
      return Missing("look-around");
    }
    if (Skip("<") || Skip("P<")) {
      while (!AtEnd() && Peek() != '>') ++at_;
      if (!Skip(">")) return Bad("has an unfinished group name");
    } else if (!Skip(":")) {
      return Missing("an unknown kind of group");
    }
  }
  CARAT_ASSIGN_OR_RETURN(const Expr inner, Alternatives(depth + 1));
  if (!Skip(")")) return Bad("lacks a closing )");
  return inner;
}

std::optional<int> RegexParser::Number() {
  if (Peek() < '0' || Peek() > '9') return std::nullopt;
  int value = 0;
  while (Peek() >= '0' && Peek() <= '9') {
    value = value > kMaxRepeat ? value : value * 10 + (Peek() - '0');
    ++at_;
  }
  return value;
}

Result<Expr> RegexParser::Quantified(Expr atom) {
  int min = 1, max = 1;
  const size_t start = at_;
  if (Skip("*")) {
    min = 0, max = ExprBuilder::kNoMax;
  } else if (Skip("+")) {
    max = ExprBuilder::kNoMax;
  } else if (Skip("?")) {
    min = 0;
  } else if (Skip("{")) {
    const std::optional<int> low = Number();
    std::optional<int> high = low;
    if (low && Skip(",")) high = Number();
    if (!low || !Skip("}")) {
      at_ = start;
      return Bad("has a { that starts no repeat count; write \\{");
    }
    min = *low;
    max = pattern_[at_ - 2] == ',' ? ExprBuilder::kNoMax : *high;
    if (max != ExprBuilder::kNoMax && max < min) {
      return Bad("has a repeat count whose maximum is below its minimum");
    }
    if (min > kMaxRepeat || max > kMaxRepeat) {
      return Missing(fmt::format("a repeat count above {}", kMaxRepeat));
    }
  } else {
    return atom;
  }
  Skip("?");  // lazy and greedy accept the same texts
  if (Peek() == '+' || Peek() == '*' || Peek() == '?' ||
      (Peek() == '{' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] >= '0' &&
       pattern_[at_ + 1] <= '9')) {
    return Bad("has two quantifiers in a row");
  }
  return b_->Repeat(atom, min, max);
}

std::optional<char32_t> RegexParser::Hex(size_t digits) {
  char32_t value = 0;
  for (size_t i = 0; i < digits; ++i) {
    const char c = at_ + i < pattern_.size() ? pattern_[at_ + i] : '\0';
    if (c >= '0' && c <= '9') {
      value = value * 16 + (c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      value = value * 16 + ((c | 0x20) - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  at_ += digits;
  return value;
}

// After "\u": XXXX, a surrogate pair, or {X...}.
Result<char32_t> RegexParser::UnicodeEscape() {
  if (Skip("{")) {
    char32_t value = 0;
    size_t digits = 0;
    while (const std::optional<char32_t> digit = Hex(1)) {
      value = value * 16 + *digit;
      if (++digits > 6) break;
    }
    if (digits == 0 || value > 0x10FFFF || !Skip("}")) {
      return Bad("has a malformed \\u{...} escape");
    }
    return value;
  }
  const std::optional<char32_t> high = Hex(4);
  if (!high) return Bad("has a malformed \\u escape");
  if (*high < 0xD800 || *high > 0xDBFF) return *high;
  if (!Skip("\\u")) return *high;
  const std::optional<char32_t> low = Hex(4);
  if (!low || *low < 0xDC00 || *low > 0xDFFF) {
    return Bad("has a broken surrogate pair");
  }
  return 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00);
}

Result<CharClass> RegexParser::Escape(Place place) {
  ++at_;
  if (AtEnd()) return Bad("ends with a backslash");
  const char32_t c = NextChar();
  auto one = [](char32_t code) { return CharClass({{code, code}}); };
  switch (c) {
    case 'd':
      return Digits();
    case 'D':
      return Digits().Complement();
    case 'w':
      return WordChars();
    case 'W':
      return WordChars().Complement();
    case 's':
      return place == Place::kNegatedClass ? SpacesOfAny() : SpacesOfAll();
    case 'S':
      return (place == Place::kNegatedClass ? SpacesOfAll() : SpacesOfAny())
          .Complement();
    case 't':
      return one('\t');
    case 'n':
      return one('\n');
    case 'r':
      return one('\r');
    case 'f':
      return one('\f');
    case 'v':
      return one('\v');
    case '0':
      return one(0);
    case 'x': {
      const std::optional<char32_t> code = Hex(2);
      if (!code) return Bad("has a malformed \\x escape");
      return one(*code);
    }
    case 'u': {
      CARAT_ASSIGN_OR_RETURN(const char32_t code, UnicodeEscape());
      return one(code);
    }
    case 'c': {
      const char32_t letter = AtEnd() ? 0 : NextChar();
      const bool is_letter =
          (letter | 0x20) >= 'a' && (letter | 0x20) <= 'z' && letter < 0x80;
      if (!is_letter) return Bad("has a malformed \\c escape");
      return one(letter & 0x1F);
    }
    case 'b':
      if (place != Place::kOutside) return one('\b');
      return Missing("a word boundary");
    case 'B':
      return Missing("a word boundary");
    case 'p':
    case 'P':
      return Missing("a Unicode property");
    case 'k':
      return Missing("a back-reference");
    default:
      break;
  }
  if (c >= '1' && c <= '9') return Missing("a back-reference");
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (letter) return Bad("has an unknown escape");
  return one(c);
}

Result<CharClass> RegexParser::Class() {
  ++at_;
  const bool negated = Skip("^");
  const Place place = negated ? Place::kNegatedClass : Place::kClass;
  CharClass chars;
  while (true) {
    if (AtEnd()) return Bad("lacks a closing ]");
    if (Skip("]")) break;
    CharClass first;
    if (Peek() == '\\') {
      CARAT_ASSIGN_OR_RETURN(first, Escape(place));
    } else {
      const char32_t code = NextChar();
      first.Add(code, code);
    }
    const bool range =
        Peek() == '-' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']';
    if (!range) {
      chars.Add(first);
      continue;
    }
    ++at_;
    CharClass last;
    if (Peek() == '\\') {
      CARAT_ASSIGN_OR_RETURN(last, Escape(place));
    } else {
      const char32_t code = NextChar();
      last.Add(code, code);
    }
    auto single = [](const CharClass& c) {
      return c.ranges().size() == 1 && c.ranges()[0].lo == c.ranges()[0].hi;
    };
    if (!single(first) || !single(last)) {  // [\w-.]: the - is itself
      chars.Add(first);
      chars.Add(last);
      chars.Add('-', '-');
      continue;
    }
    if (first.ranges()[0].lo > last.ranges()[0].lo) {
      return Bad("has a character range out of order");
    }
    chars.Add(first.ranges()[0].lo, last.ranges()[0].lo);
  }
  return negated ? chars.Complement() : chars;
}

}  // namespace

Result<Expr> ParseRegex(std::string_view pattern, RegexMatch match,
                        ExprBuilder* builder) {
  CARAT_ASSIGN_OR_RETURN(const Expr body,
                         RegexParser(pattern, builder).Parse());
  if (match == RegexMatch::kWhole) return body;
  const Expr before = builder->Star(builder->Chars(CharClass::Any()));
  const Expr after = builder->Star(builder->Chars(CharClass::Any()));
  return builder->Seq({before, body, after});
}

Result<std::shared_ptr<const Dfa>> RegexDfa(std::string_view pattern,
                                            RegexMatch match) {
  ExprBuilder builder;
  CARAT_ASSIGN_OR_RETURN(const Expr body, ParseRegex(pattern, match, &builder));
  Result<Dfa> dfa = builder.Compile(body, {}, kLimits);
  if (!dfa.ok()) {
    return dfa.status().WithContext(
        fmt::format("Pattern {}", QuoteForMessage(pattern)));
  }
  RemoveDeadEdges(&*dfa);
  return std::make_shared<const Dfa>(std::move(*dfa));
}

}  // namespace carat
