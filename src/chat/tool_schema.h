// JSON schemas of tools, brought into what the models' declaration notation
// can say: one type a property, nothing referenced, nothing composed.
#ifndef CARAT_CHAT_TOOL_SCHEMA_H_
#define CARAT_CHAT_TOOL_SCHEMA_H_

#include <string>
#include <string_view>

#include "chat/exact_json.h"

namespace carat {

// The same schema with
// - local $ref replaced by what it points at (a recursive one by its type),
// - allOf merged; anyOf, oneOf and type lists collapsed to their first
//   alternative, "null" among them to nullable, other types named in the
//   description,
// - const as a one-value enum, a missing type inferred, type "object" at the
//   root,
// - enums of other values than strings, minimum and maximum told in the
//   description, because the notation has no place for them,
// - objects without properties stripped of the members that the templates
//   would print as properties.
// A schema with nothing of that comes back as it was. Bounded work whatever
// the schema refers to.
ExactJson NormalizeToolSchema(const ExactJson& root);

// The schema `schema` stands for once its local $ref (if any) is followed
// within `root`; null when it leads nowhere.
const ExactJson* ResolveSchemaRef(const ExactJson& root,
                                  const ExactJson* schema);

}  // namespace carat

#endif  // CARAT_CHAT_TOOL_SCHEMA_H_
