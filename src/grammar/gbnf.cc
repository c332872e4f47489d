// Rules `name ::= ...` of literals, character classes, references, groups and
// repeats, and control tokens written as <piece> or <[id]>.
#include "grammar/gbnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr int kMaxNesting = 100;
constexpr int kMaxRepeat = 10000;
constexpr size_t kMaxBytes = 1 << 20;

// A rule as parsed; references become expressions once every rule is known.
struct Term {
  enum class Kind { kExpr, kReference, kSeq, kAlt, kRepeat };
  Kind kind = Kind::kExpr;
  Expr expr = 0;
  size_t rule = 0;
  int min = 0, max = 0;
  std::vector<Term> parts;
};

class GbnfParser {
 public:
  GbnfParser(std::string_view text, const TokenTrie& tokens,
             ExprBuilder* builder)
      : text_(text), tokens_(tokens), b_(*builder) {}

  Result<Expr> Parse();

 private:
  struct Rule {
    std::string name;
    bool defined = false;
    Term body;
    size_t line = 0;
    bool recursive = false;
    size_t cost = 0;  // terms when everything below is copied in
    RuleId id = 0;
    bool has_id = false;
  };
  // A rule of at most this many terms is copied to where it is used.
  static constexpr size_t kMaxInline = 400;

  size_t Line() const {
    const std::string_view before = text_.substr(0, at_);
    return 1 +
           static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  }
  Status Bad(std::string_view what) const {
    return Malformed(fmt::format("GBNF grammar, line {}: {}.", Line(), what));
  }
  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Skip(std::string_view text) {
    if (text_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  void SkipSpace(bool newlines);
  std::string_view Name();
  bool AtRuleStart() const;
  size_t RuleIndex(std::string_view name);

  Status ParseRule();
  Result<Term> Alternatives(int depth);
  Result<Term> Sequence(int depth);
  Result<Term> Primary(int depth);
  Result<Term> Quantified(Term term);
  Result<char32_t> CharOf(char quote);
  Result<Term> Literal();
  Result<Term> Class();
  Result<Term> Control();

  void Analyse();
  Expr Lower(const Term& term, int depth);
  Expr LowerReference(size_t rule, int depth);

  const std::string_view text_;
  const TokenTrie& tokens_;
  size_t at_ = 0;
  ExprBuilder& b_;
  std::vector<Rule> rules_;
  std::map<std::string, size_t, std::less<>> index_;
};

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '_';
}

void GbnfParser::SkipSpace(bool newlines) {
  while (!AtEnd()) {
    const char c = Peek();
    if (c == '#') {
      while (!AtEnd() && Peek() != '\n' && Peek() != '\r') ++at_;
    } else if (c == ' ' || c == '\t' ||
               (newlines && (c == '\n' || c == '\r'))) {
      ++at_;
    } else {
      return;
    }
  }
}

std::string_view GbnfParser::Name() {
  const size_t start = at_;
  while (!AtEnd() && IsNameChar(Peek())) ++at_;
  return text_.substr(start, at_ - start);
}

// Whether "name ::=" follows, which ends the rule before it.
bool GbnfParser::AtRuleStart() const {
  size_t i = at_;
  while (i < text_.size() && IsNameChar(text_[i])) ++i;
  if (i == at_) return false;
  while (i < text_.size() && (text_[i] == ' ' || text_[i] == '\t')) ++i;
  return text_.substr(i, 3) == "::=";
}

size_t GbnfParser::RuleIndex(std::string_view name) {
  const auto it = index_.find(name);
  if (it != index_.end()) return it->second;
  rules_.push_back({.name = std::string(name), .body = {}, .line = Line()});
  index_.emplace(std::string(name), rules_.size() - 1);
  return rules_.size() - 1;
}

Status GbnfParser::ParseRule() {
  const std::string_view name = Name();
  if (name.empty()) return Bad("a rule name was expected");
  SkipSpace(false);
  if (!Skip("::=")) return Bad("::= was expected after the rule name");
  SkipSpace(true);
  const size_t rule = RuleIndex(name);
  if (rules_[rule].defined) {
    return Bad(fmt::format("the rule {} is defined twice", name));
  }
  rules_[rule].defined = true;
  CARAT_ASSIGN_OR_RETURN(Term body, Alternatives(0));
  rules_[rule].body = std::move(body);
  if (!AtEnd() && !AtRuleStart()) return Bad("unexpected character");
  return OkStatus();
}

Result<Term> GbnfParser::Alternatives(int depth) {
  if (depth > kMaxNesting) return Bad("groups nest too deeply");
  Term all{.kind = Term::Kind::kAlt, .parts = {}};
  do {
    SkipSpace(true);
    CARAT_ASSIGN_OR_RETURN(Term choice, Sequence(depth));
    all.parts.push_back(std::move(choice));
  } while (Skip("|"));
  return all;
}

Result<Term> GbnfParser::Sequence(int depth) {
  Term all{.kind = Term::Kind::kSeq, .parts = {}};
  while (true) {
    SkipSpace(true);
    if (AtEnd() || Peek() == '|' || Peek() == ')' || AtRuleStart()) break;
    CARAT_ASSIGN_OR_RETURN(Term term, Primary(depth));
    CARAT_ASSIGN_OR_RETURN(Term repeated, Quantified(std::move(term)));
    all.parts.push_back(std::move(repeated));
  }
  return all;
}

Result<Term> GbnfParser::Primary(int depth) {
  const char c = Peek();
  if (c == '"') return Literal();
  if (c == '[') return Class();
  if (c == '<') return Control();
  if (Skip(".")) return Term{.expr = b_.Chars(CharClass::Any()), .parts = {}};
  if (Skip("(")) {
    CARAT_ASSIGN_OR_RETURN(Term inner, Alternatives(depth + 1));
    SkipSpace(true);
    if (!Skip(")")) return Bad("a closing ) is missing");
    return inner;
  }
  if (!IsNameChar(c)) {
    return Bad(fmt::format("{} is not expected here",
                           QuoteForMessage(text_.substr(at_, 1))));
  }
  const std::string_view name = Name();
  return Term{
      .kind = Term::Kind::kReference, .rule = RuleIndex(name), .parts = {}};
}

Result<Term> GbnfParser::Quantified(Term term) {
  while (true) {
    int min = 0, max = ExprBuilder::kNoMax;
    if (Skip("+")) {
      min = 1;
    } else if (Skip("?")) {
      max = 1;
    } else if (Skip("{")) {
      auto number = [this](int* out) {
        SkipSpace(false);
        const char* begin = text_.data() + at_;
        const auto [end, error] =
            std::from_chars(begin, text_.data() + text_.size(), *out);
        at_ += static_cast<size_t>(end - begin);
        SkipSpace(false);
        return error == std::errc();
      };
      if (!number(&min) || min < 0) return Bad("a repeat count was expected");
      max = min;
      if (Skip(",")) {
        max = ExprBuilder::kNoMax;
        SkipSpace(false);
        if (Peek() != '}' && (!number(&max) || max < min)) {
          return Bad("the repeat count is malformed");
        }
      }
      if (!Skip("}")) return Bad("a closing } is missing");
      if (min > kMaxRepeat || max > kMaxRepeat) {
        return Bad(fmt::format("repeat counts above {} are not supported",
                               kMaxRepeat));
      }
    } else if (!Skip("*")) {
      return term;
    }
    Term repeat{
        .kind = Term::Kind::kRepeat, .min = min, .max = max, .parts = {}};
    repeat.parts.push_back(std::move(term));
    term = std::move(repeat);
  }
}

// One character of a literal or class, escapes resolved.
Result<char32_t> GbnfParser::CharOf(char quote) {
  if (Peek() != '\\') {
    const Utf8Char c = DecodeUtf8(text_.substr(at_));
    at_ += c.size;
    return c.code;
  }
  ++at_;
  if (AtEnd()) return Bad(fmt::format("unfinished escape in {}", quote));
  const char c = text_[at_++];
  int digits = 0;
  switch (c) {
    case 'n':
      return U'\n';
    case 'r':
      return U'\r';
    case 't':
      return U'\t';
    case '\\':
    case '"':
    case '[':
    case ']':
    case '-':
    case '^':
    case '/':
      return static_cast<char32_t>(c);
    case 'x':
      digits = 2;
      break;
    case 'u':
      digits = 4;
      break;
    case 'U':
      digits = 8;
      break;
    default:
      return Bad(fmt::format("unknown escape in {}", quote));
  }
  uint32_t code = 0;
  const std::string_view hex = text_.substr(at_, static_cast<size_t>(digits));
  const auto [end, error] =
      std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
  if (error != std::errc() || hex.size() != static_cast<size_t>(digits) ||
      end != hex.data() + hex.size() || code > 0x10FFFF) {
    return Bad("malformed hexadecimal escape");
  }
  at_ += hex.size();
  return static_cast<char32_t>(code);
}

Result<Term> GbnfParser::Literal() {
  ++at_;
  std::string bytes;
  while (Peek() != '"') {
    if (AtEnd() || Peek() == '\n') return Bad("a closing \" is missing");
    CARAT_ASSIGN_OR_RETURN(const char32_t code, CharOf('"'));
    AppendUtf8(code, &bytes);
  }
  ++at_;
  return Term{.expr = b_.Bytes(bytes), .parts = {}};
}

Result<Term> GbnfParser::Class() {
  ++at_;
  const bool negated = Skip("^");
  CharClass chars;
  while (Peek() != ']') {
    if (AtEnd()) return Bad("a closing ] is missing");
    CARAT_ASSIGN_OR_RETURN(const char32_t first, CharOf('['));
    char32_t last = first;
    if (Peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
      ++at_;
      CARAT_ASSIGN_OR_RETURN(last, CharOf('['));
      if (last < first) return Bad("a character range is out of order");
    }
    chars.Add(first, last);
  }
  ++at_;
  return Term{.expr = b_.Chars(negated ? chars.Complement() : chars),
              .parts = {}};
}

Result<Term> GbnfParser::Control() {
  const size_t start = at_;
  while (!AtEnd() && Peek() != '>' && Peek() != '\n') ++at_;
  if (!Skip(">")) return Bad("a closing > is missing");
  std::string_view piece = text_.substr(start, at_ - start);
  std::optional<TokenId> token = tokens_.Terminal(piece);
  if (piece.size() > 4 && piece[1] == '[' && piece[piece.size() - 2] == ']') {
    TokenId id = -1;
    const std::string_view digits = piece.substr(2, piece.size() - 4);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error == std::errc() && end == digits.data() + digits.size() &&
        id >= 0 && id < tokens_.size()) {
      token = id;
    }
  }
  if (!token) {
    return Bad(fmt::format("{} is no control token of this model",
                           QuoteForMessage(piece)));
  }
  return Term{.expr = b_.Token(*token), .parts = {}};
}

void Collect(const Term& term, std::vector<size_t>* rules, size_t* terms) {
  const size_t times =
      term.kind == Term::Kind::kRepeat ? std::max(term.min, term.max) : 1;
  size_t inner = 1;
  if (term.kind == Term::Kind::kReference) rules->push_back(term.rule);
  for (const Term& part : term.parts) Collect(part, rules, &inner);
  *terms += inner * std::max<size_t>(1, times);
}

// Marks rules on cycles, and estimates sizes from the leaves up.
void GbnfParser::Analyse() {
  const size_t count = rules_.size();
  std::vector<std::vector<size_t>> uses(count);
  std::vector<size_t> own(count, 0), pending(count, 0);
  std::vector<std::vector<size_t>> users(count);
  for (size_t i = 0; i < count; ++i) {
    Collect(rules_[i].body, &uses[i], &own[i]);
    pending[i] = uses[i].size();
    for (size_t used : uses[i]) users[used].push_back(i);
  }
  std::vector<size_t> ready;
  std::vector<bool> done(count, false);
  for (size_t i = 0; i < count; ++i) {
    if (pending[i] == 0) ready.push_back(i);
  }
  while (!ready.empty()) {
    const size_t rule = ready.back();
    ready.pop_back();
    done[rule] = true;
    size_t cost = own[rule];
    for (size_t used : uses[rule]) {
      cost += rules_[used].cost <= kMaxInline ? rules_[used].cost : 1;
    }
    rules_[rule].cost = cost;
    for (size_t user : users[rule]) {
      if (--pending[user] == 0) ready.push_back(user);
    }
  }
  // What is left is on a cycle or uses one: never copied.
  for (size_t i = 0; i < count; ++i) rules_[i].recursive = !done[i];
}

Expr GbnfParser::LowerReference(size_t index, int depth) {
  if (!rules_[index].recursive && rules_[index].cost <= kMaxInline) {
    return Lower(rules_[index].body, depth + 1);
  }
  if (!rules_[index].has_id) {
    rules_[index].has_id = true;
    rules_[index].id = b_.AddRule();
    b_.SetBody(rules_[index].id, Lower(rules_[index].body, depth + 1));
  }
  return b_.Call(rules_[index].id);
}

Expr GbnfParser::Lower(const Term& term, int depth) {
  std::vector<Expr> parts;
  switch (term.kind) {
    case Term::Kind::kExpr:
      return term.expr;
    case Term::Kind::kReference:
      return LowerReference(term.rule, depth);
    case Term::Kind::kRepeat:
      return b_.Repeat(Lower(term.parts[0], depth), term.min, term.max);
    case Term::Kind::kSeq:
    case Term::Kind::kAlt:
      for (const Term& part : term.parts) parts.push_back(Lower(part, depth));
      if (parts.empty()) return b_.Empty();
      return term.kind == Term::Kind::kSeq ? b_.Seq(std::move(parts))
                                           : b_.Alt(std::move(parts));
  }
  return b_.Never();
}

Result<Expr> GbnfParser::Parse() {
  if (text_.size() > kMaxBytes) {
    return ResourceExhausted(
        fmt::format("The GBNF grammar is {} bytes long; at most {} are "
                    "allowed.",
                    text_.size(), kMaxBytes));
  }
  if (!IsValidUtf8(text_)) {
    return Malformed("The GBNF grammar is not valid UTF-8.");
  }
  SkipSpace(true);
  while (!AtEnd()) {
    CARAT_RETURN_IF_ERROR(ParseRule());
    SkipSpace(true);
    if (rules_.size() > 4000) {
      return ResourceExhausted("The GBNF grammar has more than 4000 rules.");
    }
  }
  for (const Rule& rule : rules_) {
    if (!rule.defined) {
      return Malformed(fmt::format(
          "GBNF grammar, line {}: the rule {} is used but not defined.",
          rule.line, rule.name));
    }
  }
  const auto root = index_.find("root");
  if (root == index_.end()) {
    return Malformed("The GBNF grammar has no rule named root.");
  }
  Analyse();
  return LowerReference(root->second, 0);
}

}  // namespace

Result<Expr> ParseGbnf(std::string_view text, const TokenTrie& tokens,
                       ExprBuilder* builder) {
  return GbnfParser(text, tokens, builder).Parse();
}

}  // namespace carat
