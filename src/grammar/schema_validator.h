// Checks JSON values against the schemas the grammar compiler accepts: for the
// values under `enum`, and for answers that were not generated under a grammar.
#ifndef CARAT_GRAMMAR_SCHEMA_VALIDATOR_H_
#define CARAT_GRAMMAR_SCHEMA_VALIDATOR_H_

#include <map>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/status.h"
#include "grammar/automaton.h"
#include "grammar/schema_reader.h"

namespace carat {

// Not thread-safe. The reader must outlive it.
class SchemaValidator {
 public:
  explicit SchemaValidator(const SchemaReader* reader) : reader_(reader) {}

  // Keywords the reader would refuse are ignored here.
  Result<bool> Matches(const Json& schema, const Json& value) {
    return Check(schema, value, 0);
  }

 private:
  Result<bool> Check(const Json& schema, const Json& value, int depth);
  Result<bool> CheckBranches(const Json& schema, const Json& value, int depth);
  Result<bool> CheckString(const Json& schema, const std::string& text);
  Result<bool> CheckArray(const Json& schema, const Json& value, int depth);
  Result<bool> CheckObject(const Json& schema, const Json& value, int depth);
  Result<bool> MatchesPattern(const std::string& pattern, bool whole,
                              const std::string& text);

  const SchemaReader* reader_;
  std::map<std::string, std::shared_ptr<const Dfa>> patterns_;
};

// `value` against the whole of `schema`.
Result<bool> ValidateJson(const Json& schema, const Json& value);

}  // namespace carat

#endif  // CARAT_GRAMMAR_SCHEMA_VALIDATOR_H_
