// What SchemaReader collects while it takes a conjunction apart.
#ifndef CARAT_GRAMMAR_SCHEMA_PARTS_H_
#define CARAT_GRAMMAR_SCHEMA_PARTS_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grammar/schema_reader.h"

namespace carat {

struct SchemaReader::Parts {
  SchemaVariant variant;
  bool typed = false;
  uint8_t hinted = 0;  // types the keywords speak of
  struct Group {
    const Json* schema;
    std::string keyword;
    const Json* branches;
  };
  std::vector<Group> groups;
  std::vector<const Json*> todo;
  std::set<const Json*> seen;
  struct ArrayPart {
    std::vector<const Json*> prefix;
    const Json* items = nullptr;
  };
  std::vector<ArrayPart> arrays;
  struct ObjectPart {
    std::vector<std::pair<std::string, const Json*>> properties;
    const Json* additional = nullptr;
  };
  std::vector<ObjectPart> objects;
  std::vector<std::string> required;
  std::vector<std::string> ordering;
  std::vector<const Json*> excluded;  // values under "not"
  uint64_t min_properties = 0;
  uint64_t max_properties = Guard::kNoLimit;
  const Json* property_limits = nullptr;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_SCHEMA_PARTS_H_
