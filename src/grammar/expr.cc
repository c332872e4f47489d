#include "grammar/expr.h"

#include <algorithm>
#include <utility>

namespace carat {

Expr ExprBuilder::Add(Node node) {
  nodes_.push_back(std::move(node));
  return static_cast<Expr>(nodes_.size() - 1);
}

Expr ExprBuilder::Empty() { return Add({.kind = Kind::kEmpty}); }
Expr ExprBuilder::Never() { return Add({.kind = Kind::kNever}); }
Expr ExprBuilder::Begin() { return Add({.kind = Kind::kBegin}); }
Expr ExprBuilder::End() { return Add({.kind = Kind::kEnd}); }

Expr ExprBuilder::Bytes(std::string_view bytes) {
  return Add({.kind = Kind::kBytes, .bytes = std::string(bytes)});
}

Expr ExprBuilder::Chars(CharClass chars) {
  if (chars.empty()) return Never();
  return Add({.kind = Kind::kChars, .chars = std::move(chars)});
}

Expr ExprBuilder::Seq(std::vector<Expr> parts) {
  for (Expr part : parts) {
    if (IsNever(part)) return part;
  }
  if (parts.size() == 1) return parts[0];
  return Add({.kind = Kind::kSeq, .parts = std::move(parts)});
}

Expr ExprBuilder::Alt(std::vector<Expr> choices) {
  std::erase_if(choices, [this](Expr choice) { return IsNever(choice); });
  if (choices.empty()) return Never();
  if (choices.size() == 1) return choices[0];
  return Add({.kind = Kind::kAlt, .parts = std::move(choices)});
}

Expr ExprBuilder::Repeat(Expr body, int min, int max) {
  if (IsNever(body)) return min == 0 ? Empty() : body;
  if (min == 1 && max == 1) return body;
  return Add({.kind = Kind::kRepeat, .min = min, .max = max, .parts = {body}});
}

Expr ExprBuilder::List(Expr item, Expr separator) {
  if (IsNever(item)) return item;
  if (IsNever(separator)) return item;
  return Add({.kind = Kind::kList, .parts = {item, separator}});
}

Expr ExprBuilder::Token(TokenId token) {
  return Add({.kind = Kind::kToken, .argument = static_cast<uint32_t>(token)});
}

Expr ExprBuilder::FreeToken(std::vector<TokenId> except) {
  free_lists_.push_back(std::move(except));
  return Add({.kind = Kind::kFree,
              .argument = static_cast<uint32_t>(free_lists_.size() - 1)});
}

Expr ExprBuilder::Call(RuleId rule) {
  return Add({.kind = Kind::kCall, .argument = rule});
}

Expr ExprBuilder::Guarded(Guard guard, Expr body) {
  if (IsNever(body)) return body;
  return Add({.kind = Kind::kGuarded, .parts = {body}, .guard = guard});
}

Expr ExprBuilder::Automaton(std::shared_ptr<const Dfa> dfa, Spelling spelling) {
  return Add(
      {.kind = Kind::kAutomaton, .spelling = spelling, .dfa = std::move(dfa)});
}

Expr ExprBuilder::Members(std::vector<Member> members, Expr extra,
                          Expr separator) {
  for (const Member& member : members) {
    if (!member.optional && IsNever(member.expr)) return member.expr;
  }
  std::erase_if(members, [this](const Member& m) { return IsNever(m.expr); });
  return Add({.kind = Kind::kMembers,
              .parts = {extra, separator},
              .members = std::move(members)});
}

RuleId ExprBuilder::AddRule() {
  rules_.push_back(Never());
  return static_cast<RuleId>(rules_.size() - 1);
}

bool ExprBuilder::Nullable(Expr expr, const std::vector<bool>& rules) const {
  const Node& node = nodes_[expr];
  auto nullable = [&](Expr part) { return Nullable(part, rules); };
  switch (node.kind) {
    case Kind::kEmpty:
    case Kind::kBegin:
    case Kind::kEnd:
      return true;
    case Kind::kBytes:
      return node.bytes.empty();
    case Kind::kSeq:
      return std::all_of(node.parts.begin(), node.parts.end(), nullable);
    case Kind::kAlt:
      return std::any_of(node.parts.begin(), node.parts.end(), nullable);
    case Kind::kRepeat:
      return node.min == 0 || nullable(node.parts[0]);
    case Kind::kList:
    case Kind::kGuarded:
      return nullable(node.parts[0]);
    case Kind::kCall:
      return rules[node.argument];
    case Kind::kAutomaton:
      return node.dfa->nullable;
    case Kind::kMembers:
      return std::all_of(
          node.members.begin(), node.members.end(),
          [&](const Member& m) { return m.optional || nullable(m.expr); });
    case Kind::kNever:
    case Kind::kChars:
    case Kind::kToken:
    case Kind::kFree:
      return false;
  }
  return false;
}

std::vector<bool> ExprBuilder::NullableRules() const {
  std::vector<bool> nullable(rules_.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    for (RuleId rule = 0; rule < rules_.size(); ++rule) {
      if (nullable[rule] || !Nullable(rules_[rule], nullable)) continue;
      nullable[rule] = true;
      changed = true;
    }
  }
  return nullable;
}

// Thompson construction.
class NfaWriter {
 public:
  NfaWriter(const ExprBuilder& builder, const std::vector<bool>& nullable,
            size_t max_nodes)
      : builder_(builder), nullable_(nullable), max_nodes_(max_nodes) {}

  // Writes `expr` from `from` to a new node, which it returns.
  uint32_t Write(Expr expr, uint32_t from);
  bool overflow() const { return overflow_; }
  Nfa nfa;

 private:
  using Node = ExprBuilder::Node;
  using Kind = ExprBuilder::Kind;

  uint32_t WriteBytes(std::string_view bytes, uint32_t from);
  uint32_t WriteChars(const CharClass& chars, uint32_t from);
  uint32_t WriteRepeat(const Node& node, uint32_t from);
  uint32_t WriteList(const Node& node, uint32_t from);
  uint32_t WriteMembers(const Node& node, uint32_t from);
  uint32_t WriteAutomaton(const Node& node, uint32_t from);
  void WriteJsonRange(uint32_t from, uint32_t to, int lo, int hi);
  void WriteControls(uint32_t from, uint32_t to, int lo, int hi);

  const ExprBuilder& builder_;
  const std::vector<bool>& nullable_;
  const size_t max_nodes_;
  bool overflow_ = false;
};

uint32_t NfaWriter::Write(Expr expr, uint32_t from) {
  const Node& node = builder_.nodes_[expr];
  if (nfa.size() > max_nodes_) {
    overflow_ = true;
    return from;
  }
  switch (node.kind) {
    case Kind::kEmpty:
      return from;
    case Kind::kNever:
      return nfa.AddNode();
    case Kind::kBytes:
      return WriteBytes(node.bytes, from);
    case Kind::kChars:
      return WriteChars(node.chars, from);
    case Kind::kSeq:
      for (Expr part : node.parts) from = Write(part, from);
      return from;
    case Kind::kAlt: {
      const uint32_t to = nfa.AddNode();
      for (Expr part : node.parts) {
        const uint32_t entry = nfa.AddNode();
        nfa.AddEmpty(from, entry);
        nfa.AddEmpty(Write(part, entry), to);
      }
      return to;
    }
    case Kind::kRepeat:
      return WriteRepeat(node, from);
    case Kind::kList:
      return WriteList(node, from);
    case Kind::kToken:
    case Kind::kFree:
    case Kind::kCall: {
      const uint32_t to = nfa.AddNode();
      const SymbolKind kind = node.kind == Kind::kToken  ? SymbolKind::kToken
                              : node.kind == Kind::kFree ? SymbolKind::kFree
                                                         : SymbolKind::kCall;
      nfa.AddSymbol(from, to, kind, node.argument);
      if (node.kind == Kind::kCall && nullable_[node.argument]) {
        nfa.AddEmpty(from, to);
      }
      return to;
    }
    case Kind::kGuarded: {
      const uint32_t entry = nfa.AddNode();
      nfa.AddEmpty(from, entry, nfa.AddGuard(node.guard));
      return Write(node.parts[0], entry);
    }
    case Kind::kAutomaton:
      return WriteAutomaton(node, from);
    case Kind::kBegin:
    case Kind::kEnd: {
      const uint32_t to = nfa.AddNode();
      node.kind == Kind::kBegin ? nfa.AddBegin(from, to) : nfa.AddEnd(from, to);
      return to;
    }
    case Kind::kMembers:
      return WriteMembers(node, from);
  }
  return from;
}

uint32_t NfaWriter::WriteBytes(std::string_view bytes, uint32_t from) {
  for (char c : bytes) {
    const uint32_t to = nfa.AddNode();
    nfa.AddBytes(from, to, static_cast<uint8_t>(c), static_cast<uint8_t>(c));
    from = to;
  }
  return from;
}

uint32_t NfaWriter::WriteChars(const CharClass& chars, uint32_t from) {
  const uint32_t to = nfa.AddNode();
  for (const std::vector<ByteRange>& bytes : Utf8Ranges(chars)) {
    uint32_t at = from;
    for (size_t i = 0; i < bytes.size(); ++i) {
      const uint32_t next = i + 1 == bytes.size() ? to : nfa.AddNode();
      nfa.AddBytes(at, next, bytes[i].lo, bytes[i].hi);
      at = next;
    }
  }
  return to;
}

uint32_t NfaWriter::WriteRepeat(const Node& node, uint32_t from) {
  // A fresh node per round keeps a loop inside the body from leaking backwards
  // and makes rounds of an empty body count towards the size limit.
  for (int i = 0; i < node.min && !overflow_; ++i) {
    const uint32_t entry = nfa.AddNode();
    nfa.AddEmpty(from, entry);
    from = Write(node.parts[0], entry);
  }
  if (node.max == ExprBuilder::kNoMax) {
    const uint32_t loop = nfa.AddNode();
    nfa.AddEmpty(from, loop);
    nfa.AddEmpty(Write(node.parts[0], loop), loop);
    const uint32_t to = nfa.AddNode();
    nfa.AddEmpty(loop, to);
    return to;
  }
  const uint32_t to = nfa.AddNode();
  nfa.AddEmpty(from, to);
  for (int i = node.min; i < node.max && !overflow_; ++i) {
    const uint32_t entry = nfa.AddNode();
    nfa.AddEmpty(from, entry);
    from = Write(node.parts[0], entry);
    nfa.AddEmpty(from, to);
  }
  return to;
}

uint32_t NfaWriter::WriteList(const Node& node, uint32_t from) {
  const uint32_t entry = nfa.AddNode();
  nfa.AddEmpty(from, entry);
  const uint32_t end = Write(node.parts[0], entry);
  const uint32_t separator = nfa.AddNode();
  nfa.AddEmpty(end, separator);
  nfa.AddEmpty(Write(node.parts[1], separator), entry);
  const uint32_t to = nfa.AddNode();
  nfa.AddEmpty(end, to);
  return to;
}

// Node rows: `empty[i]` nothing written yet and member i is next, `start[i]`
// where member i begins, `after[i]` something written and member i is next.
uint32_t NfaWriter::WriteMembers(const Node& node, uint32_t from) {
  const size_t count = node.members.size();
  std::vector<uint32_t> empty(count + 1), start(count + 1), after(count + 1),
      comma(count + 1), end(count + 1);
  for (size_t i = 0; i <= count; ++i) {
    empty[i] = nfa.AddNode();
    start[i] = nfa.AddNode();
    after[i] = nfa.AddNode();
    comma[i] = nfa.AddNode();
    end[i] = nfa.AddNode();
  }
  nfa.AddEmpty(from, empty[0]);
  const uint32_t to = nfa.AddNode();
  const bool has_extra = !builder_.IsNever(node.parts[0]);
  for (size_t i = 0; i <= count && !overflow_; ++i) {
    nfa.AddEmpty(empty[i], start[i]);
    nfa.AddEmpty(after[i], end[i]);
    nfa.AddEmpty(comma[i], start[i]);
    if (i < count || has_extra) {
      const uint32_t separator = nfa.AddNode();
      nfa.AddEmpty(after[i], separator);
      nfa.AddEmpty(Write(node.parts[1], separator), comma[i]);
    }
    if (i == count) break;
    nfa.AddEmpty(Write(node.members[i].expr, start[i]), after[i + 1]);
    if (node.members[i].optional) {
      nfa.AddEmpty(empty[i], empty[i + 1]);
      nfa.AddEmpty(comma[i], comma[i + 1]);
      nfa.AddEmpty(end[i], end[i + 1]);
    }
  }
  if (has_extra) {
    nfa.AddEmpty(Write(node.parts[0], start[count]), after[count]);
  }
  nfa.AddEmpty(empty[count], to);
  nfa.AddEmpty(end[count], to);
  return to;
}

uint32_t NfaWriter::WriteAutomaton(const Node& node, uint32_t from) {
  const Dfa& dfa = *node.dfa;
  std::vector<uint32_t> nodes(dfa.states.size());
  for (uint32_t& n : nodes) n = nfa.AddNode();
  const uint32_t to = nfa.AddNode();
  nfa.AddEmpty(from, nodes[0]);
  for (uint32_t i = 0; i < dfa.states.size(); ++i) {
    const DfaState& state = dfa.states[i];
    if (dfa.Accepts(i)) nfa.AddEmpty(nodes[i], to);
    for (uint32_t e = state.first_byte; e < state.first_byte + state.bytes;
         ++e) {
      const ByteEdge& edge = dfa.bytes[e];
      if (node.spelling == Spelling::kRaw) {
        nfa.AddBytes(nodes[i], nodes[edge.target], edge.lo, edge.hi);
      } else {
        WriteJsonRange(nodes[i], nodes[edge.target], edge.lo, edge.hi);
      }
    }
    if (nfa.size() > max_nodes_) overflow_ = true;
    if (overflow_) break;
  }
  return to;
}

void NfaWriter::WriteJsonRange(uint32_t from, uint32_t to, int lo, int hi) {
  if (lo < 0x20) WriteControls(from, to, lo, std::min(hi, 0x1F));
  for (const auto& [a, b] :
       {std::pair<int, int>{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0xFF}}) {
    const int first = std::max(a, lo), last = std::min(b, hi);
    if (first <= last) {
      nfa.AddBytes(from, to, static_cast<uint8_t>(first),
                   static_cast<uint8_t>(last));
    }
  }
  for (char c : {'"', '\\'}) {
    if (lo <= c && c <= hi) {
      nfa.AddEmpty(WriteBytes(std::string{'\\', c}, from), to);
    }
  }
}

// \b \t \n \f \r, and \u00XX for the other control characters.
void NfaWriter::WriteControls(uint32_t from, uint32_t to, int lo, int hi) {
  const uint32_t escape = WriteBytes("\\", from);
  uint32_t high[2] = {0, 0};
  uint32_t prefix = 0;
  for (int c = lo; c <= hi; ++c) {
    constexpr std::string_view kShort = "\b\t\n\f\r";
    const size_t at = kShort.find(static_cast<char>(c));
    if (at != std::string_view::npos) {
      const uint8_t letter = static_cast<uint8_t>("btnfr"[at]);
      nfa.AddBytes(escape, to, letter, letter);
      continue;
    }
    if (prefix == 0) prefix = WriteBytes("u00", escape);
    uint32_t& row = high[c >> 4];
    if (row == 0) row = WriteBytes(c >> 4 == 0 ? "0" : "1", prefix);
    const uint8_t digit = static_cast<uint8_t>("0123456789abcdef"[c & 15]);
    nfa.AddBytes(row, to, digit, digit);
  }
}

Result<Dfa> ExprBuilder::Compile(Expr body, const std::vector<bool>& nullable,
                                 const Nfa::Limits& limits) const {
  NfaWriter writer(*this, nullable, limits.states * 4);
  const uint32_t start = writer.nfa.AddNode();
  const uint32_t accept = writer.Write(body, start);
  if (writer.overflow()) {
    return ResourceExhausted(
        "The grammar is too large; use smaller repeat counts or split it.");
  }
  return writer.nfa.Determinize(start, accept, limits);
}

}  // namespace carat
