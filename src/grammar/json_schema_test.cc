#include <string>
#include <vector>

#include "grammar/schema_validator.h"
#include "grammar/walk_test_util.h"

namespace carat {
namespace {

constexpr std::string_view kSchemas[] = {
    R"({"type":"object","properties":{"name":{"type":"string"},"age":{
        "type":"integer","minimum":0,"maximum":150}},"required":["name"]})",
    R"({"type":"string"})",
    R"({"type":"string","minLength":2,"maxLength":5})",
    R"({"type":"string","minLength":3})",
    R"({"type":"string","pattern":"^a+b?$","maxLength":4})",
    R"({"type":"string","format":"date"})",
    R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":4})",
    R"({"type":"array","prefixItems":[{"const":1},{"type":"string"}],
        "items":{"type":"boolean"},"minItems":1,"maxItems":5})",
    R"({"type":"array","items":{"type":"array","items":{"type":"null"},
        "minItems":1,"maxItems":2},"minItems":2,"maxItems":3})",
    R"({"anyOf":[{"type":"object","properties":{"a":{"type":"string"}},
        "required":["a"]},{"type":"object","properties":{"a":{
        "type":"integer"},"ab":{"type":"null"}},"required":["ab"]}]})",
    R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{
        "v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/n"},
        {"type":"null"}]}},"required":["v","next"]}}})",
    R"({"type":"object","properties":{"a":{"type":"number","minimum":-1.5,
        "exclusiveMaximum":2.25}},"additionalProperties":{"type":"null"},
        "required":["a"]})",
    R"({"enum":["a","ab",1,1.5,null,{"a":[1,"x"]},[]]})",
    R"({"type":["string","null"],"enum":["a",null,3]})",
    R"({"type":"integer","multipleOf":7,"minimum":-20,"maximum":50})",
    R"(true)",
    R"({"type":"object","properties":{"a":{"type":"string"},"b":{},
        "abc":{"type":"boolean"}},"propertyOrdering":["b","a"]})",
    R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},
        "required":["a"]},{"properties":{"b":{"type":"string"},"a":{
        "minimum":3}},"required":["b"]}]})",
};

TEST(JsonSchemaTest, NoiseComesOutValid) {
  for (std::string_view schema : kSchemas) {
    for (const bool space : {false, true}) {
      const GrammarPtr grammar =
          SchemaGrammar(schema, {.any_whitespace = space});
      ASSERT_NE(grammar, nullptr) << schema;
      for (uint64_t seed = 0; seed < 3; ++seed) {
        const std::string text = NoisyText(grammar, seed);
        const Result<Json> value = Json::Parse(text);
        ASSERT_TRUE(value.ok()) << schema << "\n" << text;
        const Result<bool> valid = ValidateJson(J(schema), *value);
        ASSERT_TRUE(valid.ok()) << valid.status().message();
        EXPECT_TRUE(*valid) << schema << "\n" << text;
      }
    }
  }
}

struct Case {
  std::string_view schema;
  std::vector<std::string> fits;
  std::vector<std::string> misses;
};

void Check(const Case& c, const JsonGrammarOptions& options = {}) {
  const GrammarPtr grammar = SchemaGrammar(c.schema, options);
  ASSERT_NE(grammar, nullptr) << c.schema;
  for (const std::string& text : c.fits) {
    EXPECT_TRUE(Fits(grammar, text)) << c.schema << "\n" << text;
  }
  for (const std::string& text : c.misses) {
    EXPECT_FALSE(Fits(grammar, text)) << c.schema << "\n" << text;
  }
}

TEST(JsonSchemaTest, ObjectsKeepOrderAndRequiredMembers) {
  Check({R"({"type":"object","properties":{"a":{"type":"integer"},
             "b":{"type":"integer"},"c":{"type":"integer"}},
             "required":["b"]})",
         {R"({"b":1})", R"({"a":1,"b":2})", R"({"b":1,"c":2})",
          R"({"a":1,"b":2,"c":3})"},
         {"{}", R"({"a":1})", R"({"b":1,"a":2})", R"({"b":1,})", R"({,"b":1})",
          R"({"b":1,"b":2})", R"({"b":1,"d":2})", R"({"a":1"b":2})"}});
}

TEST(JsonSchemaTest, AdditionalPropertiesNeverRepeatADeclaredName) {
  Check({R"({"type":"object","properties":{"ab":{"type":"integer"}},
             "additionalProperties":{"type":"string"}})",
         {R"({"ab":1,"a":"x"})", R"({"abc":"x"})", R"({"":"x","b\"":"y"})",
          R"({"ab":1,"é":"x"})", "{}"},
         {R"({"ab":"x"})", R"({"ab":1,"ab":"x"})", R"({"\u0061b":"x"})",
          R"({"a":1})"}});
}

TEST(JsonSchemaTest, IntegerBoundsAreExact) {
  for (const auto& [low, high] : {std::pair{-12, 105},
                                  {0, 9},
                                  {7, 7},
                                  {-3, -1},
                                  {95, 1003},
                                  {-1000, -99}}) {
    const GrammarPtr grammar = SchemaGrammar(
        "{\"type\":\"integer\",\"minimum\":" + std::to_string(low) +
        ",\"maximum\":" + std::to_string(high) + "}");
    for (int n = -1200; n <= 1200; ++n) {
      EXPECT_EQ(Fits(grammar, std::to_string(n)), n >= low && n <= high) << n;
    }
    EXPECT_FALSE(Fits(grammar, "07"));
    EXPECT_FALSE(Fits(grammar, "-0"));
  }
}

TEST(JsonSchemaTest, IntegerBoundsReachTheEdgesOfSixtyFourBits) {
  Check({R"({"type":"integer","minimum":9223372036854775806})",
         {"9223372036854775806", "9223372036854775807"},
         {"9223372036854775805", "9223372036854775808"}});
  Check({R"({"type":"integer","maximum":-9223372036854775807})",
         {"-9223372036854775808", "-9223372036854775807"},
         {"-9223372036854775806", "-9223372036854775809"}});
}

TEST(JsonSchemaTest, NumberBoundsCompareDigits) {
  Check(
      {R"({"type":"number","minimum":-1.5,"exclusiveMaximum":2.25})",
       {"-1.5", "-1.50", "-1.49", "-0.001", "0", "0.0", "2", "2.2", "2.2499",
        "1.999"},
       {"-1.51", "-1.500001", "2.25", "2.250", "2.3", "3", "-2", "-0", "01"}});
  Check({R"({"type":"number","exclusiveMinimum":0})",
         {"0.1", "0.0001", "1", "12.5"},
         {"0", "0.0", "-1", "-0.5"}});
  Check({R"({"type":"number"})",
         {"1e-7", "-0.5", "1.5e+300", "9.99e307", "0"},
         {"1e308", "1.", ".5", "+1", "1e", "NaN", "Infinity"}});
}

TEST(JsonSchemaTest, MultiplesOfWholeNumbers) {
  const GrammarPtr grammar =
      SchemaGrammar(R"({"type":"integer","multipleOf":7,"minimum":-30})");
  for (int n = -60; n <= 300; ++n) {
    EXPECT_EQ(Fits(grammar, std::to_string(n)), n % 7 == 0 && n >= -30) << n;
  }
}

TEST(JsonSchemaTest, StringsHoldOnlyWhatJsonAllows) {
  Check({R"({"type":"string"})",
         {R"("")", R"("é😀")", R"("\n\"\\\/\u00e9")", R"("\ud83d\ude00")"},
         {"\"\n\"", R"("\x")", R"("\ud83d")", R"("\ude00")", R"("\ud83dx")",
          "\"\xC3\"", "\"\xED\xA0\x80\"", R"("a)", R"('a')"}});
}

TEST(JsonSchemaTest, LengthsCountCharacters) {
  Check({R"({"type":"string","minLength":2,"maxLength":3})",
         {R"("ab")", R"("日本語")", R"("\n\n")", R"("\ud83d\ude00x")"},
         {R"("a")", R"("abcd")", R"("日")", R"("\ud83d\ude00")"}});
}

TEST(JsonSchemaTest, PatternsSearchAndMeetTheirLengths) {
  Check({R"({"type":"string","pattern":"b+"})",
         {R"("b")", R"("abba")", R"("x\"b")"},
         {R"("")", R"("ac")"}});
  Check({R"({"type":"string","pattern":"^(ab)*$","maxLength":5,
             "minLength":1})",
         {R"("ab")", R"("abab")"},
         {R"("")", R"("a")", R"("ababab")"}});
}

TEST(JsonSchemaTest, FormatsAreReal) {
  Check({R"({"type":"string","format":"date"})",
         {R"("2024-02-29")", R"("1999-12-31")"},
         {R"("2023-02-29")", R"("2024-04-31")", R"("0000-01-01")",
          R"("1900-02-29")"}});
  Check({R"({"type":"string","format":"ipv6"})",
         {R"("::1")", R"("1:2:3:4:5:6:7:8")", R"("fe80::")"},
         {R"("1:2")", R"("1::2::3")", R"("12345::")"}});
  Check({R"({"type":"string","format":"uuid"})",
         {R"("123e4567-e89b-12d3-a456-426614174000")"},
         {R"("123e4567e89b12d3a456426614174000")"}});
}

TEST(JsonSchemaTest, ArraysCountTheirItems) {
  Check({R"({"type":"array","items":{"type":"integer"},"minItems":2,
             "maxItems":3})",
         {"[1,2]", "[1,2,3]"},
         {"[]", "[1]", "[1,2,3,4]", "[1,2,]"}});
  Check({R"({"type":"array","prefixItems":[{"type":"integer"},
             {"type":"string"}],"items":{"type":"null"},"minItems":1,
             "maxItems":4})",
         {"[1]", R"([1,"a"])", R"([1,"a",null,null])"},
         {"[]", R"(["a"])", R"([1,null])", R"([1,"a",null,null,null])"}});
  Check({R"({"type":"array","items":false})", {"[]"}, {"[1]"}});
  Check({R"({"type":"array","maxItems":100000,"minItems":3})",
         {"[1,2,3]"},
         {"[1,2]"}});
}

TEST(JsonSchemaTest, ReferencesMayRecurse) {
  Check({R"({"type":"object","properties":{"kids":{"type":"array","items":{
             "$ref":"#"}}},"required":["kids"]})",
         {R"({"kids":[]})", R"({"kids":[{"kids":[]},{"kids":[{"kids":[]}]}]})"},
         {R"({"kids":[{}]})", "{}"}});
  Check({R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", {"null"}, {"1"}});
}

TEST(JsonSchemaTest, MergesAllOfAndSiblingsOfReferences) {
  Check({R"({"$ref":"#/$defs/a","minimum":5,"$defs":{"a":{"type":"integer",
             "maximum":7}}})",
         {"5", "7"},
         {"4", "8"}});
  Check({R"({"enum":[1,2,3,"a"],"not":{"const":2},"type":"integer"})",
         {"1", "3"},
         {"2", "\"a\""}});
}

TEST(JsonSchemaTest, SpecDefaultsOpenObjectsAndTypes) {
  Check({R"({"properties":{"a":{"type":"integer"}}})",
         {"{}", R"({"a":1})"},
         {"1", R"({"b":1})"}});
  Check({R"({"properties":{"a":{"type":"integer"}}})",
         {"{}", R"({"a":1})", "1", R"({"b":[1]})"},
         {R"({"a":"x"})"}},
        {.spec_defaults = true});
}

TEST(JsonSchemaTest, UnsupportedKeywordsAreNamed) {
  for (const auto& [schema, keyword] :
       {std::pair{R"({"type":"array","uniqueItems":true})", "uniqueItems"},
        {R"({"patternProperties":{"^a":{}}})", "patternProperties"},
        {R"({"if":{},"then":{}})", "if"},
        {R"({"properties":{"a":{"contains":{}}}})", "contains"},
        {R"({"type":"number","multipleOf":0.1})", "multipleOf"},
        {R"({"type":"object","minProperties":2})", "minProperties"},
        {R"({"$ref":"http://x/y"})", "http://x/y"},
        {R"x({"type":"string","pattern":"(?=a)"})x", "look-around"}}) {
    const Result<GrammarPtr> grammar =
        CompileJsonSchema(J(schema), TestTokens());
    ASSERT_FALSE(grammar.ok()) << schema;
    EXPECT_EQ(grammar.status().code(), StatusCode::kUnsupported);
    EXPECT_NE(grammar.status().message().find(keyword), std::string::npos)
        << grammar.status().message();
  }
  const Result<GrammarPtr> grammar = CompileJsonSchema(
      J(R"({"properties":{"a":{"uniqueItems":true}}})"), TestTokens());
  EXPECT_NE(grammar.status().message().find("#/properties/a"),
            std::string::npos);
}

TEST(JsonSchemaTest, ContradictionsAreRefused) {
  for (std::string_view schema :
       {R"({"type":"integer","minimum":3,"maximum":2})", "false",
        R"({"type":"string","pattern":"^a$","minLength":2})",
        R"({"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{
            "a":{"$ref":"#/$defs/a"}},"required":["a"]}}})"}) {
    const Result<GrammarPtr> grammar =
        CompileJsonSchema(J(schema), TestTokens());
    ASSERT_FALSE(grammar.ok()) << schema;
    EXPECT_EQ(grammar.status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(JsonSchemaTest, OverlappingOneOfIsNoted) {
  const GrammarPtr loose =
      SchemaGrammar(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})");
  EXPECT_EQ(NotesOf(*loose).size(), 1u);
  const GrammarPtr strict = SchemaGrammar(
      R"({"oneOf":[{"type":"object","properties":{"k":{"const":1}},
          "required":["k"]},{"type":"object","properties":{"k":{"const":2}},
          "required":["k"]}]})");
  EXPECT_TRUE(NotesOf(*strict).empty());
}

TEST(JsonSchemaTest, NestingStopsBeforeParsersGiveUp) {
  const GrammarPtr grammar =
      SchemaGrammar(R"({"type":"array","items":{"$ref":"#"}})");
  GrammarState state(grammar);
  int depth = 0;
  while (depth < 1000 && state.AcceptText("[")) ++depth;
  EXPECT_GT(depth, 100);
  EXPECT_LT(depth, 256);
  const std::vector<TokenId> allowed = Allowed(state, *TestTokens());
  for (TokenId id = 0; id < TestTokens()->size(); ++id) {
    EXPECT_EQ(std::count(allowed.begin(), allowed.end(), id) > 0,
              state.CanAccept(id));
  }
  for (int i = 0; i < depth; ++i) ASSERT_TRUE(state.AcceptText("]"));
  EXPECT_TRUE(state.IsComplete());
}

}  // namespace
}  // namespace carat
