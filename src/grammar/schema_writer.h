// Turns JSON schemas into grammar expressions, in JSON or in the notation of
// Gemma's tool calls (bare keys in any order, strings between delimiter
// tokens).
#ifndef CARAT_GRAMMAR_SCHEMA_WRITER_H_
#define CARAT_GRAMMAR_SCHEMA_WRITER_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "grammar/expr.h"
#include "grammar/schema_reader.h"
#include "grammar/schema_validator.h"

namespace carat {

struct ValueNotation {
  // The token around strings of tool calls; without it the notation is JSON.
  std::optional<TokenId> quote;
  // All texts that may stand between two of them.
  std::shared_ptr<const Dfa> quoted_text = nullptr;
  bool any_whitespace = false;
};

// For ValueNotation::quoted_text: no control characters but line ends and
// tabs, and not the text of the quote token.
Result<std::shared_ptr<const Dfa>> TextWithout(std::string_view quote);

// Not thread-safe. The builder and the reader must outlive it.
class SchemaWriter {
 public:
  SchemaWriter(const ValueNotation& notation, SchemaReader* reader,
               ExprBuilder* builder)
      : notation_(notation),
        reader_(reader),
        validator_(reader),
        b_(*builder) {}

  // Any value that satisfies all of the schemas.
  Result<Expr> Value(const Conjunction& schemas);
  // The same, objects only.
  Result<Expr> ObjectValue(const Conjunction& schemas);

 private:
  bool json() const { return !notation_.quote; }
  Expr Space();
  Expr Open(std::string_view bracket);
  Expr Close(std::string_view bracket);
  Expr Comma();
  Expr Colon();

  Result<Expr> Variants(const Conjunction& schemas, uint8_t types);
  Result<Expr> Variant(const SchemaVariant& variant);
  Result<Expr> Values(const SchemaVariant& variant);
  Expr Literal(const Json& value);
  Expr Key(std::string_view name);
  Expr QuotedText(std::string_view text);

  Result<Expr> String(const SchemaVariant& variant);
  Expr PlainString(uint64_t min, uint64_t max);
  Expr StringCharacter();
  Result<Expr> ConstrainedString(const SchemaVariant& variant,
                                 const std::vector<std::string>& formats);

  Result<Expr> Array(const SchemaVariant& variant);
  Expr Elements(Expr item, uint64_t min, uint64_t max, bool after_prefix,
                bool* counts);
  Result<Expr> Object(const SchemaVariant& variant);
  Result<Expr> OrderedObject(const SchemaVariant& variant, Expr extra);
  Result<Expr> AnyOrderObject(const SchemaVariant& variant, Expr extra);
  Result<Expr> ExtraMember(const SchemaVariant& variant);
  struct KeyTrie;
  Expr WriteKeys(const KeyTrie& node, uint64_t open);
  Result<Expr> Member(const SchemaVariant::Property& property);

  const ValueNotation notation_;
  SchemaReader* reader_;
  SchemaValidator validator_;
  ExprBuilder& b_;
  std::map<Conjunction, RuleId> rules_;
  std::set<Conjunction> seen_;
  std::map<std::string, RuleId> strings_;
  int depth_ = 0;
  size_t values_ = 0;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_SCHEMA_WRITER_H_
