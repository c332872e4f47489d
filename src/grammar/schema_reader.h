// JSON schemas taken apart: references resolved, allOf merged, anyOf spread
// into variants without alternatives. A "conjunction" is a set of schemas that
// must all hold; it is what properties, items and references lead to.
//
// Keywords that cannot be enforced are errors that name them; annotations and
// unknown keywords are ignored. The root schema must outlive the reader.
#ifndef CARAT_GRAMMAR_SCHEMA_READER_H_
#define CARAT_GRAMMAR_SCHEMA_READER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "grammar/automaton.h"
#include "grammar/decimal_range.h"

namespace carat {

enum TypeBit : uint8_t {
  kTypeNull = 1,
  kTypeBoolean = 2,
  kTypeInteger = 4,
  kTypeFraction = 8,  // numbers that are no integers
  kTypeString = 16,
  kTypeArray = 32,
  kTypeObject = 64,
  kTypeAll = 127,
};

// Sorted, without duplicates.
using Conjunction = std::vector<const Json*>;

// One way to satisfy a conjunction: no references or alternatives left.
struct SchemaVariant {
  bool never = false;
  uint8_t types = kTypeAll;
  std::optional<std::vector<Json>> values;  // enum and const
  Conjunction sources;                      // the schemas it was made from
  NumberBounds numbers;
  uint64_t min_length = 0;
  uint64_t max_length = Guard::kNoLimit;
  std::vector<std::string> patterns;
  std::vector<std::string> formats;
  uint64_t min_items = 0;
  uint64_t max_items = Guard::kNoLimit;
  std::vector<Conjunction> prefix_items;
  std::optional<Conjunction> items;  // after the prefix; none: not allowed
  struct Property {
    std::string name;
    Conjunction schema;
    bool required = false;
  };
  std::vector<Property> properties;       // in the order to write them
  std::optional<Conjunction> additional;  // other properties; none: closed
};

class SchemaReader {
 public:
  // `spec_defaults` as in JsonGrammarOptions.
  static Result<SchemaReader> Open(const Json& root, bool spec_defaults);

  Conjunction root() const { return {root_}; }
  Result<std::vector<SchemaVariant>> Variants(const Conjunction& schemas);
  // Whether a reference has to be followed to read it.
  bool HasReference(const Conjunction& schemas) const;
  // Where a schema stands in the root, like "#/properties/a".
  std::string PathOf(const Json* schema) const;
  // What a "$ref" means; used by the validator as well.
  Result<const Json*> Resolve(const std::string& reference) const;
  std::vector<std::string>& notes() { return notes_; }

 private:
  struct Parts;  // a variant in the making
  SchemaReader(const Json& root, bool spec_defaults)
      : root_(&root), spec_defaults_(spec_defaults) {}

  Status Index(const Json& schema, const std::string& path, int depth);
  Status Apply(const Json& schema, Parts* parts);
  Status ApplyType(const Json& schema, Parts* parts);
  Status ApplyValues(const Json& schema, Parts* parts);
  Status ApplyNumbers(const Json& schema, Parts* parts);
  Status ApplyStrings(const Json& schema, Parts* parts);
  Status ApplyArrays(const Json& schema, Parts* parts);
  Status ApplyObjects(const Json& schema, Parts* parts);
  Status ApplyNot(const Json& schema, Parts* parts);
  Status CheckUnsupported(const Json& schema) const;
  Result<uint64_t> Count(const Json& schema, std::string_view keyword,
                         uint64_t absent) const;
  Result<const Json*> SubSchema(const Json& schema, std::string_view keyword);
  Status Expand(Parts parts, std::vector<SchemaVariant>* out);
  bool LeadsTo(const Json& from, const Json* to, int depth) const;
  Status CheckOneOf(const Json& schema, const Json& branches);
  Result<bool> Disjoint(const Json& a, const Json& b, int depth);
  Result<SchemaVariant> Finish(Parts parts);
  Status FinishArrays(const Parts& parts, SchemaVariant* out);
  Status FinishObjects(const Parts& parts, SchemaVariant* out);
  const Json* Without(const Json& schema, std::string_view keyword);
  Status Bad(const Json& schema, std::string_view what) const;
  Status Missing(const Json& schema, std::string_view what) const;

  const Json* root_;
  bool spec_defaults_;
  std::unordered_map<const Json*, std::string> paths_;
  std::map<std::string, const Json*, std::less<>> anchors_;
  std::deque<Json> copies_;
  std::map<std::pair<const Json*, std::string>, const Json*> without_;
  std::vector<std::string> notes_;
  std::set<const Json*> checked_;
  int depth_ = 0;
};

// Equality as JSON schema sees it: 1 and 1.0 are equal, members unordered.
bool SameJson(const Json& a, const Json& b);
uint8_t TypeOf(const Json& value);

}  // namespace carat

#endif  // CARAT_GRAMMAR_SCHEMA_READER_H_
