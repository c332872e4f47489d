#include "chat/tool_schema.h"

#include <gtest/gtest.h>

#include <string>

#include "chat/tool_syntax.h"

namespace carat {
namespace {

// The declaration of one property `p`, delimiters shown as '.
std::string Property(const std::string& schema, const std::string& defs = "") {
  SegmentBuilder out;
  const Status status = WriteDeclaration(
      {.name = "f",
       .description = "",
       .parameters = R"({"properties":{"p":)" + schema + "}" + defs + "}",
       .response = ""},
      {.quote = "'"}, SchemaShape::kNormalize, &out);
  if (!status.ok()) return status.message();
  const std::string text = SegmentsToString(out.Take());
  const std::string before =
      "declaration:f{description:'',parameters:"
      "{properties:{p:{";
  const std::string after = "}},type:'OBJECT'}}";
  if (!text.starts_with(before) || !text.ends_with(after)) return text;
  return text.substr(before.size(), text.size() - before.size() - after.size());
}

TEST(NormalizeToolSchema, NullAlternativesBecomeNullable) {
  EXPECT_EQ(Property(R"({"type":["string","null"]})"),
            "nullable:true,type:'STRING'");
  EXPECT_EQ(Property(R"({"anyOf":[{"type":"integer"},{"type":"null"}],
                         "description":"N"})"),
            "description:'N',nullable:true,type:'INTEGER'");
  EXPECT_EQ(Property(R"({"oneOf":[{"type":"null"},{"type":"array",
                         "items":{"type":"string"}}]})"),
            "items:{type:'STRING'},nullable:true,type:'ARRAY'");
}

TEST(NormalizeToolSchema, OtherAlternativesAreNamed) {
  EXPECT_EQ(Property(R"({"anyOf":[{"type":"string"},{"type":"number"}]})"),
            "description:'May be string or number.',type:'STRING'");
  EXPECT_EQ(Property(R"({"type":["integer","string","null"],
                         "description":"V!"})"),
            "description:'V! May be integer or string.',nullable:true,"
            "type:'INTEGER'");
}

TEST(NormalizeToolSchema, ReferencesAreFollowed) {
  EXPECT_EQ(Property(R"({"$ref":"#/$defs/A","description":"D"})",
                     R"(,"$defs":{"A":{"type":"object","properties":
                        {"x":{"$ref":"#/$defs/B"}}},"B":{"type":"number"}})"),
            "description:'D',properties:{x:{type:'NUMBER'}},type:'OBJECT'");
  EXPECT_EQ(Property(R"({"$ref":"#/nowhere"})"), "type:'STRING'");
  EXPECT_EQ(Property(R"({"allOf":[{"$ref":"#/$defs/E"}]})",
                     R"(,"$defs":{"E":{"type":"string","enum":["a"]}})"),
            "enum:['a'],type:'STRING'");
}

TEST(NormalizeToolSchema, RecursionEnds) {
  const std::string text =
      Property(R"({"$ref":"#/$defs/T"})",
               R"(,"$defs":{"T":{"type":"object","properties":{"child":
         {"$ref":"#/$defs/T"},"n":{"type":"integer"}}}})");
  EXPECT_EQ(text,
            "properties:{child:{properties:{},type:'OBJECT'},"
            "n:{type:'INTEGER'}},type:'OBJECT'");
}

TEST(NormalizeToolSchema, ExplodingReferencesAreBounded) {
  std::string defs = R"(,"$defs":{"a0":{"type":"string"})";
  for (int i = 1; i < 30; ++i) {
    const std::string before = std::to_string(i - 1);
    defs += ",\"a" + std::to_string(i) +
            "\":{\"properties\":{\"l\":{\"$ref\":" + "\"#/$defs/a" + before +
            "\"},\"r\":{\"$ref\":\"#/$defs/a" + before + "\"}}}";
  }
  EXPECT_LT(Property(R"({"$ref":"#/$defs/a29"})", defs + "}").size(), 1u << 20);
}

TEST(NormalizeToolSchema, ValuesWithoutAPlaceAreTold) {
  EXPECT_EQ(Property(R"({"enum":[1,2,3],"description":"Priority"})"),
            "description:'Priority. One of: 1, 2, 3.',type:'INTEGER'");
  EXPECT_EQ(Property(R"({"type":"number","minimum":0,"maximum":1.5})"),
            "description:'Minimum: 0. Maximum: 1.5.',type:'NUMBER'");
  EXPECT_EQ(Property(R"({"const":"a"})"), "enum:['a'],type:'STRING'");
  EXPECT_EQ(Property(R"({"anyOf":[{"const":"a"},{"enum":["b","c"]}]})"),
            "enum:['a','b','c'],type:'STRING'");
}

TEST(NormalizeToolSchema, ObjectsWithoutPropertiesShowNoNoise) {
  EXPECT_EQ(Property(R"({"type":"object","additionalProperties":false,
                         "title":"T","minProperties":1})"),
            "properties:{},type:'OBJECT'");
  EXPECT_EQ(Property(R"({"type":"object",
                         "additionalProperties":{"type":"string"}})"),
            "properties:{additionalProperties:{type:'STRING'}},type:'OBJECT'");
}

TEST(NormalizeToolSchema, PlainSchemasComeBackUnchanged) {
  const ExactJson schema = *ExactJson::Parse(
      R"({"type":"object","properties":{"a":{"type":"string","enum":["x"]},
         "b":{"type":"array","items":{"type":"object","properties":{"c":
         {"type":"number","nullable":true}},"required":["c"]}}},
         "required":["a"],"additionalProperties":false})");
  EXPECT_EQ(NormalizeToolSchema(schema), schema);
}

}  // namespace
}  // namespace carat
