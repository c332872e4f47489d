#include "grammar/schema_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/utf8.h"
#include "grammar/decimal_range.h"

namespace carat {
namespace {

constexpr int kMaxDepth = 160;
constexpr size_t kMaxValues = 20000;
constexpr size_t kMaxNameBytes = 512;

bool AlwaysTrue(const Json* schema) {
  return (schema->is_bool() && schema->as_bool()) ||
         (schema->is_object() && schema->as_object().empty());
}

// Whether a key can stand without quotes in a tool call.
bool IsBareKey(std::string_view name) {
  if (name.empty() || name.front() == ' ' || name.back() == ' ') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    const uint8_t b = static_cast<uint8_t>(c);
    return b > 0x20 ? std::string_view(":,{}[]<>\"").find(c) ==
                          std::string_view::npos
                    : c == ' ';
  });
}

}  // namespace

Expr SchemaWriter::Space() {
  if (!notation_.any_whitespace) return b_.Empty();
  return b_.Star(b_.Chars(CharClass({{'\t', '\n'}, {'\r', '\r'}, {' ', ' '}})));
}
Expr SchemaWriter::Open(std::string_view bracket) {
  return b_.Seq({b_.Bytes(bracket), Space()});
}
Expr SchemaWriter::Close(std::string_view bracket) {
  return b_.Seq({Space(), b_.Bytes(bracket)});
}
Expr SchemaWriter::Comma() { return b_.Seq({Space(), b_.Bytes(","), Space()}); }
Expr SchemaWriter::Colon() { return b_.Seq({Space(), b_.Bytes(":"), Space()}); }

Result<Expr> SchemaWriter::Value(const Conjunction& all) {
  Conjunction schemas = all;
  std::erase_if(schemas, AlwaysTrue);
  const auto known = rules_.find(schemas);
  if (known != rules_.end()) return b_.Call(known->second);
  if (++values_ > kMaxValues) {
    return ResourceExhausted("The JSON schema is too large.");
  }
  const bool again = !seen_.insert(schemas).second;
  if (!again && !schemas.empty() && !reader_->HasReference(schemas)) {
    return Variants(schemas, kTypeAll);
  }
  const RuleId rule = b_.AddRule();
  rules_[schemas] = rule;
  CARAT_ASSIGN_OR_RETURN(const Expr body, Variants(schemas, kTypeAll));
  b_.SetBody(rule, body);
  return b_.Call(rule);
}

Result<Expr> SchemaWriter::ObjectValue(const Conjunction& schemas) {
  return Variants(schemas, kTypeObject);
}

Result<Expr> SchemaWriter::Variants(const Conjunction& schemas, uint8_t types) {
  if (depth_ > kMaxDepth) {
    return ResourceExhausted("The JSON schema nests too deeply.");
  }
  CARAT_ASSIGN_OR_RETURN(std::vector<SchemaVariant> variants,
                         reader_->Variants(schemas));
  ++depth_;
  std::vector<Expr> choices;
  for (SchemaVariant& variant : variants) {
    variant.types &= types;
    CARAT_ASSIGN_OR_RETURN(const Expr choice, Variant(variant));
    choices.push_back(choice);
  }
  --depth_;
  return b_.Alt(std::move(choices));
}

Result<Expr> SchemaWriter::Variant(const SchemaVariant& variant) {
  if (variant.values) return Values(variant);
  std::vector<Expr> choices;
  auto add = [&](Result<Expr> expr) {
    if (expr.ok()) choices.push_back(*expr);
    return expr.status();
  };
  if ((variant.types & kTypeNull) != 0) choices.push_back(b_.Bytes("null"));
  if ((variant.types & kTypeBoolean) != 0) {
    choices.push_back(b_.Bytes("true"));
    choices.push_back(b_.Bytes("false"));
  }
  if ((variant.types & kTypeFraction) != 0) {
    CARAT_RETURN_IF_ERROR(add(NumberExpr(variant.numbers, &b_)));
  } else if ((variant.types & kTypeInteger) != 0) {
    CARAT_RETURN_IF_ERROR(add(IntegerExpr(variant.numbers, &b_)));
  }
  if ((variant.types & kTypeString) != 0) {
    CARAT_RETURN_IF_ERROR(add(String(variant)));
  }
  if ((variant.types & kTypeArray) != 0) {
    CARAT_RETURN_IF_ERROR(add(Array(variant)));
  }
  if ((variant.types & kTypeObject) != 0) {
    CARAT_RETURN_IF_ERROR(add(Object(variant)));
  }
  return b_.Alt(std::move(choices));
}

Result<Expr> SchemaWriter::Values(const SchemaVariant& variant) {
  std::vector<Expr> choices;
  for (const Json& value : *variant.values) {
    bool fits = (TypeOf(value) & variant.types) != 0;
    for (const Json* schema : variant.sources) {
      if (!fits) break;
      CARAT_ASSIGN_OR_RETURN(fits, validator_.Matches(*schema, value));
    }
    if (fits) choices.push_back(Literal(value));
  }
  return b_.Alt(std::move(choices));
}

Expr SchemaWriter::QuotedText(std::string_view text) {
  if (json()) return b_.Bytes(JsonQuote(text));
  return b_.Seq(
      {b_.Token(*notation_.quote), b_.Bytes(text), b_.Token(*notation_.quote)});
}

Expr SchemaWriter::Key(std::string_view name) {
  if (json() || !IsBareKey(name)) return QuotedText(name);
  return b_.Bytes(name);
}

Expr SchemaWriter::Literal(const Json& value) {
  if (value.is_string()) return QuotedText(value.as_string());
  if (value.is_array()) {
    std::vector<Expr> parts = {Open("[")};
    for (const Json& item : value.as_array()) {
      if (parts.size() > 1) parts.push_back(Comma());
      parts.push_back(Literal(item));
    }
    parts.push_back(Close("]"));
    return b_.Seq(std::move(parts));
  }
  if (value.is_object()) {
    std::vector<Expr> parts = {Open("{")};
    for (const auto& [name, member] : value.as_object()) {
      if (parts.size() > 1) parts.push_back(Comma());
      parts.push_back(b_.Seq({Key(name), Colon(), Literal(member)}));
    }
    parts.push_back(Close("}"));
    return b_.Seq(std::move(parts));
  }
  const bool whole = value.is_double() && TypeOf(value) == kTypeInteger &&
                     std::fabs(value.as_double()) < 1e15;
  if (!whole) return b_.Bytes(value.Dump());
  const Json integer(static_cast<int64_t>(value.as_double()));
  return b_.Alt({b_.Bytes(value.Dump()), b_.Bytes(integer.Dump())});
}

Result<Expr> SchemaWriter::Array(const SchemaVariant& variant) {
  const uint64_t min = variant.min_items, max = variant.max_items;
  const size_t fixed =
      static_cast<size_t>(std::min<uint64_t>(variant.prefix_items.size(), max));
  bool counts = false;
  Expr tail = min <= fixed ? Close("]") : b_.Never();
  if (variant.items && max > fixed) {
    CARAT_ASSIGN_OR_RETURN(const Expr item, Value(*variant.items));
    tail = Elements(item, min > fixed ? min - fixed : 0,
                    max == Guard::kNoLimit ? max : max - fixed, fixed > 0,
                    &counts);
  }
  for (size_t i = fixed; i-- > 0;) {
    CARAT_ASSIGN_OR_RETURN(const Expr item, Value(variant.prefix_items[i]));
    const Expr lead = i > 0 ? Comma() : b_.Empty();
    const Expr more = b_.Seq({lead, item, tail});
    tail = min <= i ? b_.Alt({Close("]"), more}) : more;
  }
  const Expr array = b_.Seq({Open("["), tail});
  if (!counts || b_.IsNever(array)) return array;
  const RuleId rule = b_.AddRule();
  b_.SetBody(rule, array);
  return b_.Call(rule);
}

// The rest of an array behind its prefix, closing bracket included. Sets
// `counts` when it needs the rule's register.
Expr SchemaWriter::Elements(Expr item, uint64_t min, uint64_t max,
                            bool after_prefix, bool* counts) {
  const Expr none = min == 0 ? Close("]") : b_.Never();
  if (b_.IsNever(item) || max == 0) return none;
  const Expr lead = after_prefix ? Comma() : b_.Empty();
  if (max == 1) return b_.Alt({none, b_.Seq({lead, item, Close("]")})});
  if (max == Guard::kNoLimit && min <= 1) {
    return b_.Alt({none, b_.Seq({lead, b_.List(item, Comma()), Close("]")})});
  }
  *counts = true;
  const Guard count{Guard::Kind::kCount, max, min};
  const Expr comma =
      b_.Seq({Space(), b_.Guarded(count, b_.Bytes(",")), Space()});
  const Expr list = b_.List(item, comma);
  const Expr first =
      after_prefix ? b_.Seq({comma, list}) : b_.Guarded(count, list);
  const Expr close = b_.Guarded({Guard::Kind::kAtLeast, min, 0}, b_.Bytes("]"));
  return b_.Alt({none, b_.Seq({first, Space(), close})});
}

Result<Expr> SchemaWriter::Member(const SchemaVariant::Property& property) {
  CARAT_ASSIGN_OR_RETURN(const Expr value, Value(property.schema));
  return b_.Seq({Key(property.name), Colon(), value});
}

Result<Expr> SchemaWriter::Object(const SchemaVariant& variant) {
  for (const SchemaVariant::Property& property : variant.properties) {
    if (property.name.size() > kMaxNameBytes) {
      return Unsupported(
          fmt::format("A property name is longer than {} bytes: {}.",
                      kMaxNameBytes, QuoteForMessage(property.name)));
    }
  }
  Expr extra = b_.Never();
  if (variant.additional) {
    CARAT_ASSIGN_OR_RETURN(extra, ExtraMember(variant));
  }
  // One register bit per key.
  if (json() || variant.properties.size() > 64) {
    return OrderedObject(variant, extra);
  }
  return AnyOrderObject(variant, extra);
}

Result<Expr> SchemaWriter::OrderedObject(const SchemaVariant& variant,
                                         Expr extra) {
  std::vector<ExprBuilder::Member> members;
  for (const SchemaVariant::Property& property : variant.properties) {
    CARAT_ASSIGN_OR_RETURN(const Expr member, Member(property));
    members.push_back({member, !property.required});
  }
  return b_.Seq(
      {Open("{"), b_.Members(std::move(members), extra, Comma()), Close("}")});
}

// The bare keys of an object by their bytes.
struct SchemaWriter::KeyTrie {
  std::map<char, KeyTrie> children;
  uint64_t keys = 0;          // that end at or below this node
  std::optional<Expr> value;  // of the key that ends here
  uint64_t bit = 0;
};

// One of the keys `open` is known to be missing on the way here; a branch for
// other keys needs a guard that one of its own is.
Expr SchemaWriter::WriteKeys(const KeyTrie& node, uint64_t open) {
  std::vector<Expr> choices;
  if (node.value) {
    const Expr colon =
        b_.Guarded({Guard::Kind::kTake, node.bit, 0}, b_.Bytes(":"));
    choices.push_back(b_.Seq({colon, *node.value}));
  }
  for (const auto& [byte, child] : node.children) {
    std::string bytes(1, byte);
    const KeyTrie* at = &child;
    while (!at->value && at->children.size() == 1) {
      bytes.push_back(at->children.begin()->first);
      at = &at->children.begin()->second;
    }
    const Expr rest = b_.Seq({b_.Bytes(bytes), WriteKeys(*at, at->keys)});
    choices.push_back(
        child.keys == open
            ? rest
            : b_.Guarded({Guard::Kind::kUnseen, child.keys, 0}, rest));
  }
  return b_.Alt(std::move(choices));
}

Result<Expr> SchemaWriter::AnyOrderObject(const SchemaVariant& variant,
                                          Expr extra) {
  KeyTrie trie;
  std::vector<Expr> pairs;
  uint64_t all = 0, required = 0;
  for (size_t i = 0; i < variant.properties.size(); ++i) {
    const SchemaVariant::Property& property = variant.properties[i];
    const uint64_t bit = uint64_t{1} << i;
    if (property.required) required |= bit;
    CARAT_ASSIGN_OR_RETURN(const Expr value, Value(property.schema));
    if (b_.IsNever(value)) continue;
    all |= bit;
    if (!IsBareKey(property.name)) {
      pairs.push_back(b_.Seq(
          {b_.Guarded({Guard::Kind::kUnseen, bit, 0}, Key(property.name)),
           b_.Guarded({Guard::Kind::kTake, bit, 0}, b_.Bytes(":")), value}));
      continue;
    }
    KeyTrie* at = &trie;
    at->keys |= bit;
    for (char c : property.name) {
      at = &at->children[c];
      at->keys |= bit;
    }
    at->value = value;
    at->bit = bit;
  }
  if ((required & ~all) != 0) return b_.Never();
  const bool closed = b_.IsNever(extra);
  // Behind a comma, or at the start, some key is missing; but with others
  // allowed it may be none of the declared ones.
  pairs.push_back(WriteKeys(trie, closed ? all : 0));
  pairs.push_back(extra);
  const Expr pair = b_.Alt(std::move(pairs));
  Expr comma = b_.Bytes(",");
  if (closed) comma = b_.Guarded({Guard::Kind::kUnseen, all, 0}, comma);
  const Expr close =
      b_.Guarded({Guard::Kind::kHave, required, 0}, b_.Bytes("}"));
  const Expr body = b_.Alt({close, b_.Seq({b_.List(pair, comma), close})});
  const RuleId rule = b_.AddRule();
  b_.SetBody(rule, b_.Seq({b_.Bytes("{"), body}));
  return b_.Call(rule);
}

}  // namespace carat
