#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/utf8.h"

namespace carat {
namespace {

Json MustParse(std::string_view text) {
  Result<Json> json = Json::Parse(text);
  EXPECT_TRUE(json.ok()) << text << ": " << json.status().message();
  return json.ok() ? *json : Json();
}

std::string ErrorOf(std::string_view text, int max_depth = 256) {
  Result<Json> json = Json::Parse(text, max_depth);
  EXPECT_FALSE(json.ok()) << text;
  if (json.ok()) return "";
  EXPECT_EQ(json.status().code(), StatusCode::kMalformed);
  EXPECT_TRUE(IsValidUtf8(json.status().message()));
  return json.status().message();
}

TEST(JsonTest, ParsesEveryKindOfValue) {
  const Json json = MustParse(
      R"({"a":null,"b":[true,false],"c":-7,"d":1.5,"e":"x\u00e9","f":{}})");
  EXPECT_TRUE(json.Find("a")->is_null());
  EXPECT_EQ(json.Find("b")->as_array()[0], Json(true));
  EXPECT_EQ(json.Find("b")->as_array()[1], Json(false));
  EXPECT_EQ(json.Find("c")->as_int(), -7);
  EXPECT_EQ(json.Find("d")->as_double(), 1.5);
  EXPECT_EQ(json.Find("e")->as_string(), "x\xC3\xA9");
  EXPECT_TRUE(json.Find("f")->is_object());
  EXPECT_EQ(json.Find("g"), nullptr);
  EXPECT_EQ(Json(3).Find("a"), nullptr);
}

TEST(JsonTest, KeepsTheOrderOfMembers) {
  const char* text = R"({"z":1,"a":2,"m":{"y":3,"b":4}})";
  EXPECT_EQ(MustParse(text).Dump(), text);
}

TEST(JsonTest, LastOfDuplicateKeysWins) {
  EXPECT_EQ(MustParse(R"({"a":1,"a":2})").Find("a")->as_int(), 2);
}

TEST(JsonTest, IntegersKeepAllBitsOfInt64) {
  EXPECT_EQ(MustParse("9223372036854775807").as_int(),
            std::numeric_limits<int64_t>::max());
  EXPECT_EQ(MustParse("-9223372036854775808").as_int(),
            std::numeric_limits<int64_t>::min());
}

TEST(JsonTest, IntegersBeyondInt64BecomeDoubles) {
  const Json json = MustParse("18446744073709551615");
  ASSERT_TRUE(json.is_double());
  EXPECT_EQ(json.as_double(), 18446744073709551615.0);
  EXPECT_EQ(MustParse("-99999999999999999999").as_double(), -1e20);
  EXPECT_TRUE(Json(uint64_t{1} << 63).is_double());
  EXPECT_TRUE(Json((uint64_t{1} << 63) - 1).is_int());
}

TEST(JsonTest, DoublesReadBackTheSameAndStayDoubles) {
  for (const double value :
       {0.0, -0.0, 1.0, 1e300, 5e-324, 0.1, 1.0 / 3, 123456789012345680.0,
        std::numeric_limits<double>::max()}) {
    const Json back = MustParse(Json(value).Dump());
    ASSERT_TRUE(back.is_double()) << Json(value).Dump();
    EXPECT_EQ(std::signbit(back.as_double()), std::signbit(value));
    EXPECT_EQ(back.as_double(), value);
  }
  EXPECT_EQ(Json(1.0).Dump(), "1.0");
  EXPECT_EQ(Json(std::nan("")).Dump(), "null");
  EXPECT_EQ(Json(HUGE_VAL).Dump(), "null");
}

TEST(JsonTest, DumpEscapesControlCharactersAndRepairsUtf8) {
  EXPECT_EQ(JsonQuote("a\"\\\n\t\r\b\f\x01/"), R"("a\"\\\n\t\r\b\f\u0001/")");
  EXPECT_EQ(JsonQuote(std::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(JsonQuote("\xFFx"), "\"\xEF\xBF\xBDx\"");
}

TEST(JsonTest, PrettyPrintingIndents) {
  EXPECT_EQ(MustParse(R"({"a":[1,2],"b":{},"c":[]})").Dump(2),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}");
}

TEST(JsonTest, ErrorsNameTheByteOffset) {
  EXPECT_NE(ErrorOf("[1,2,}").find("at byte 6"), std::string::npos);
  EXPECT_NE(ErrorOf("{\"a\":1} x").find("at byte 9"), std::string::npos);
  EXPECT_NE(ErrorOf("").find("at byte"), std::string::npos);
}

TEST(JsonTest, RefusesWhatIsNotJson) {
  for (const char* text : {"nul",          "tru",      "[1,]",
                           "{\"a\":}",     "{a:1}",    "'x'",
                           "01",           "+1",       ".5",
                           "1.",           "\"\\x\"",  "\"\\ud800\"",
                           "\"unfinished", "[",        "{\"a\"",
                           "NaN",          "Infinity", "1e999",
                           "// c\n1",      "[1] [2]",  "\"tab\tinside\""}) {
    EXPECT_FALSE(ErrorOf(text).empty());
  }
}

TEST(JsonTest, RefusesInvalidUtf8) {
  for (const char* text :
       {"\"\xFF\"", "\"\xC3\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"",
        "\"\xF4\x90\x80\x80\"", "\xFF"}) {
    EXPECT_FALSE(ErrorOf(text).empty());
  }
}

TEST(JsonTest, RefusesNulBytes) {
  EXPECT_NE(ErrorOf(std::string_view("{}\0x", 4)).find("NUL"),
            std::string::npos);
  EXPECT_FALSE(ErrorOf(std::string_view("\"a\0\"", 4)).empty());
}

TEST(JsonTest, DepthLimitHoldsExactly) {
  const auto nested = [](int depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(Json::Parse(nested(256)).ok());
  EXPECT_NE(ErrorOf(nested(257)).find("256 levels"), std::string::npos);
  EXPECT_TRUE(Json::Parse(nested(3), 3).ok());
  EXPECT_FALSE(ErrorOf(nested(4), 3).empty());
  EXPECT_FALSE(ErrorOf("{}", 0).empty());
  EXPECT_FALSE(ErrorOf(std::string(1000000, '[')).empty());
}

TEST(JsonTest, LongTokensDoNotMakeLongErrors) {
  EXPECT_LT(ErrorOf("\"" + std::string(100000, 'x')).size(), 400u);
}

TEST(JsonTest, EditsObjectsAndArrays) {
  Json json;
  json.Set("a", 1);
  json.Set("b", "two");
  json.Set("a", 3);
  json.Set("list", Json()).Append(true);
  EXPECT_EQ(json.Dump(), R"({"a":3,"b":"two","list":[true]})");
  json.Erase("b");
  json.Erase("absent");
  EXPECT_EQ(json.Dump(), R"({"a":3,"list":[true]})");
}

TEST(JsonTest, TypeNames) {
  EXPECT_STREQ(Json().type_name(), "null");
  EXPECT_STREQ(Json(true).type_name(), "boolean");
  EXPECT_STREQ(Json(1).type_name(), "integer");
  EXPECT_STREQ(Json(1.0).type_name(), "number");
  EXPECT_STREQ(Json("").type_name(), "string");
  EXPECT_STREQ(Json::MakeArray().type_name(), "array");
  EXPECT_STREQ(Json::MakeObject().type_name(), "object");
}

}  // namespace
}  // namespace carat
