// How strings and undeclared keys of a schema are written.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/regex.h"
#include "grammar/schema_writer.h"
#include "grammar/string_format.h"

namespace carat {
namespace {

constexpr size_t kMaxStringStates = 40000;
constexpr Nfa::Limits kKeyLimits{.states = 40000, .items = 2000000};

CharClass PlainCharacters() {
  return CharClass({{'\t', '\n'}, {'\r', '\r'}, {0x20, 0x10FFFF}});
}

// Texts over `alphabet` that are none of `names` (sorted).
Expr NoneOf(const std::vector<std::u32string>& names, size_t first, size_t last,
            size_t depth, const CharClass& alphabet, ExprBuilder* b) {
  const Expr any = b->Star(b->Chars(alphabet));
  if (first == last) return any;
  std::vector<Expr> choices;
  if (names[first].size() != depth) {
    choices.push_back(b->Empty());
  } else {
    ++first;
  }
  CharClass others = alphabet.Complement();
  while (first < last) {
    const char32_t c = names[first][depth];
    size_t end = first;
    while (end < last && names[end][depth] == c) ++end;
    others.Add(c, c);
    choices.push_back(
        b->Seq({b->Chars(CharClass({{c, c}})),
                NoneOf(names, first, end, depth + 1, alphabet, b)}));
    first = end;
  }
  choices.push_back(b->Seq({b->Chars(others.Complement()), any}));
  return b->Alt(std::move(choices));
}

std::u32string CodePoints(std::string_view text) {
  std::u32string out;
  while (!text.empty()) {
    const Utf8Char c = DecodeUtf8(text);
    out.push_back(c.code);
    text.remove_prefix(c.size);
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<const Dfa>> TextWithout(std::string_view word) {
  ExprBuilder builder;
  CARAT_ASSIGN_OR_RETURN(
      const Dfa text,
      builder.Compile(builder.Star(builder.Chars(PlainCharacters())), {}, {}));
  // State i + 1: the last i bytes are the start of `word`, and no more.
  Dfa without;
  for (size_t i = 0; i <= word.size(); ++i) {
    const size_t matched = i == 0 ? 0 : i - 1;
    DfaState state;
    state.first_byte = static_cast<uint32_t>(without.bytes.size());
    state.accept = i > 0;
    for (int b = 0; b < 256; ++b) {
      std::string seen(word.substr(0, matched));
      seen.push_back(static_cast<char>(b));
      if (seen == word) continue;
      while (!seen.empty() && word.substr(0, seen.size()) != seen) {
        seen.erase(0, 1);
      }
      const uint8_t byte = static_cast<uint8_t>(b);
      without.bytes.push_back(
          {byte, byte, 0, static_cast<uint32_t>(seen.size() + 1)});
      ++state.bytes;
    }
    without.states.push_back(state);
  }
  without.nullable = true;
  CARAT_ASSIGN_OR_RETURN(Dfa both, Intersect(text, without, kMaxStringStates));
  return std::make_shared<const Dfa>(std::move(both));
}

Result<Expr> SchemaWriter::String(const SchemaVariant& variant) {
  std::vector<std::string> formats;
  for (const std::string& format : variant.formats) {
    const std::string_view pattern = FormatPattern(format);
    if (!pattern.empty()) {
      formats.emplace_back(pattern);
    } else {
      reader_->notes().push_back(fmt::format(
          "The string format {} is not enforced.", QuoteForMessage(format)));
    }
  }
  if (variant.patterns.empty() && formats.empty()) {
    return PlainString(variant.min_length, variant.max_length);
  }
  return ConstrainedString(variant, formats);
}

// One character between JSON quotes, or between delimiter tokens.
Expr SchemaWriter::StringCharacter() {
  if (!json()) return b_.Chars(PlainCharacters());
  auto chars = [this](std::vector<CodeRange> ranges) {
    return b_.Chars(CharClass(std::move(ranges)));
  };
  const Expr hex = chars({{'0', '9'}, {'a', 'f'}, {'A', 'F'}});
  const Expr d = chars({{'d', 'd'}, {'D', 'D'}});
  const Expr unit = b_.Alt(
      {b_.Seq(
           {chars({{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}),
            b_.Repeat(hex, 3, 3)}),
       b_.Seq({d, chars({{'0', '7'}}), hex, hex})});
  const Expr pair =
      b_.Seq({d, chars({{'8', '9'}, {'a', 'b'}, {'A', 'B'}}), hex, hex,
              b_.Bytes("\\u"), d, chars({{'c', 'f'}, {'C', 'F'}}), hex, hex});
  return b_.Alt(
      {chars({{0x20, '!'}, {'#', '['}, {']', 0x10FFFF}}),
       b_.Seq({b_.Bytes("\\"),
               b_.Alt({chars({{'"', '"'},
                              {'\\', '\\'},
                              {'/', '/'},
                              {'b', 'b'},
                              {'f', 'f'},
                              {'n', 'n'},
                              {'r', 'r'},
                              {'t', 't'}}),
                       b_.Seq({b_.Bytes("u"), b_.Alt({unit, pair})})})})});
}

Expr SchemaWriter::PlainString(uint64_t min, uint64_t max) {
  const std::string key = fmt::format("{} {}", min, max);
  const auto known = strings_.find(key);
  if (known != strings_.end()) return b_.Call(known->second);
  const Expr quote = json() ? b_.Bytes("\"") : b_.Token(*notation_.quote);
  Expr body;
  if (min == 0 && max == Guard::kNoLimit) {
    const Expr inside =
        json() ? b_.Star(StringCharacter())
               : b_.Automaton(notation_.quoted_text, Spelling::kRaw);
    body = b_.Seq({quote, inside, quote});
  } else {
    body = b_.Seq({quote,
                   b_.Star(b_.Guarded({Guard::Kind::kCount, max, min},
                                      StringCharacter())),
                   b_.Guarded({Guard::Kind::kAtLeast, min, 0}, quote)});
  }
  const RuleId rule = b_.AddRule();
  b_.SetBody(rule, body);
  strings_[key] = rule;
  return b_.Call(rule);
}

Result<Expr> SchemaWriter::ConstrainedString(
    const SchemaVariant& variant, const std::vector<std::string>& formats) {
  std::string key =
      fmt::format("{} {}", variant.min_length, variant.max_length);
  std::vector<std::shared_ptr<const Dfa>> all;
  auto add = [&](const std::string& pattern, RegexMatch match) {
    key += (match == RegexMatch::kWhole ? "\n=" : "\n~") + pattern;
    Result<std::shared_ptr<const Dfa>> dfa = RegexDfa(pattern, match);
    if (dfa.ok()) all.push_back(*dfa);
    return dfa.status();
  };
  for (const std::string& pattern : variant.patterns) {
    CARAT_RETURN_IF_ERROR(add(pattern, RegexMatch::kSearch));
  }
  for (const std::string& pattern : formats) {
    CARAT_RETURN_IF_ERROR(add(pattern, RegexMatch::kWhole));
  }
  const auto known = strings_.find(key);
  if (known != strings_.end()) return b_.Call(known->second);
  if (!json()) all.push_back(notation_.quoted_text);
  Dfa dfa = *all[0];
  for (size_t i = 1; i < all.size(); ++i) {
    CARAT_ASSIGN_OR_RETURN(dfa, Intersect(dfa, *all[i], kMaxStringStates));
  }
  const LengthRange lengths = CharacterLengths(dfa);
  if (lengths.shortest < variant.min_length ||
      lengths.longest > variant.max_length) {
    CARAT_ASSIGN_OR_RETURN(
        dfa, WithLength(dfa, variant.min_length, variant.max_length,
                        kMaxStringStates));
  }
  const Expr quote = json() ? b_.Bytes("\"") : b_.Token(*notation_.quote);
  const Expr inside = b_.Automaton(std::make_shared<const Dfa>(std::move(dfa)),
                                   json() ? Spelling::kJson : Spelling::kRaw);
  const RuleId rule = b_.AddRule();
  b_.SetBody(rule, b_.Seq({quote, inside, quote}));
  strings_[key] = rule;
  return b_.Call(rule);
}

// A member whose key is none of the declared ones.
Result<Expr> SchemaWriter::ExtraMember(const SchemaVariant& variant) {
  std::vector<std::u32string> names;
  for (const SchemaVariant::Property& property : variant.properties) {
    names.push_back(CodePoints(property.name));
  }
  if (!json()) names.emplace_back();
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  CharClass alphabet({{0x20, 0x10FFFF}});
  if (!json()) {
    alphabet =
        CharClass({{'-', '-'}, {'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
    std::erase_if(names, [&](const std::u32string& name) {
      return std::any_of(name.begin(), name.end(), [&](char32_t c) {
        return std::none_of(
            alphabet.ranges().begin(), alphabet.ranges().end(),
            [c](const CodeRange& r) { return c >= r.lo && c <= r.hi; });
      });
    });
  }
  CARAT_ASSIGN_OR_RETURN(const Expr value, Value(*variant.additional));
  if (b_.IsNever(value)) return value;
  ExprBuilder inner;
  CARAT_ASSIGN_OR_RETURN(Dfa dfa, inner.Compile(NoneOf(names, 0, names.size(),
                                                       0, alphabet, &inner),
                                                {}, kKeyLimits));
  const Expr text = b_.Automaton(std::make_shared<const Dfa>(std::move(dfa)),
                                 json() ? Spelling::kJson : Spelling::kRaw);
  if (json()) {
    return b_.Seq({b_.Bytes("\""), text, b_.Bytes("\""), Colon(), value});
  }
  // A rule of its own, so that its edges do not meet the guarded ones of the
  // declared keys.
  const RuleId rule = b_.AddRule();
  b_.SetBody(rule, text);
  return b_.Seq({b_.Call(rule), b_.Bytes(":"), value});
}

}  // namespace carat
