// Gemini's two ways to write a schema, brought to JSON schema.
#ifndef CARAT_API_GEMINI_SCHEMA_H_
#define CARAT_API_GEMINI_SCHEMA_H_

#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace carat {

// From the OpenAPI subset: types in any case, "nullable", keywords in either
// spelling, bounds as strings or numbers, properties in the order of
// "propertyOrdering". `where` names the schema in errors.
Result<Json> JsonSchemaFromOpenApi(const Json& schema, std::string_view where);

// From JSON schema, which may carry "propertyOrdering".
Result<Json> OrderedJsonSchema(const Json& schema, std::string_view where);

}  // namespace carat

#endif  // CARAT_API_GEMINI_SCHEMA_H_
