#include "chat/exact_json.h"

#include <gtest/gtest.h>

#include <string>

namespace carat {
namespace {

std::string RoundTrip(std::string_view text) {
  const Result<ExactJson> value = ExactJson::Parse(text);
  return value.ok() ? value->Dump() : "error: " + value.status().message();
}

TEST(ExactJson, NumbersKeepTheirDigits) {
  for (const char* text : {"0", "-0", "-0.0", "1e-07", "1E+400", "2.0", "0.10",
                           "123456789012345678901234567890", "-1.5e300"}) {
    EXPECT_EQ(RoundTrip(text), text);
  }
}

TEST(ExactJson, StringsAreUnescapedAndEscapedAgain) {
  EXPECT_EQ(ExactJson::Parse(R"("\u00e9\ud83d\ude42\n\/\b")")->text,
            "é🙂\n/\b");
  EXPECT_EQ(ExactJson::Parse(R"("\ud83d!")")->text, "\xEF\xBF\xBD!");
  EXPECT_EQ(RoundTrip(R"(["\"\\\n\t\r\u0001"])"), R"(["\"\\\n\t\r\u0001"])");
}

TEST(ExactJson, ObjectsKeepTheirOrderAndTheLastOfDuplicates) {
  EXPECT_EQ(RoundTrip(R"( { "b" : 1, "a" : [ ], "b" : { } } )"),
            R"({"b":{},"a":[]})");
}

TEST(ExactJson, InvalidTextIsRefusedWithItsPlace) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "01", "1.", ".5", "+1",
        "nul", "\"\t\"", "\"\\x\"", "\"\xFF\"", "[1] 2", "\"abc", "1e",
        "{\"a\" 1}", "\"\\u12\""}) {
    EXPECT_FALSE(ExactJson::Parse(text).ok()) << text;
  }
  EXPECT_EQ(RoundTrip("[1 2]"),
            "error: invalid JSON at byte 3: expected , or ].");
}

TEST(ExactJson, DepthIsBounded) {
  EXPECT_TRUE(
      ExactJson::Parse(std::string(100, '[') + std::string(100, ']')).ok());
  EXPECT_FALSE(ExactJson::Parse(std::string(100000, '[')).ok());
}

TEST(ExactJson, TruthIsPythons) {
  for (const char* text :
       {"null", "false", "0", "-0.0", "0e5", "\"\"", "[]", "{}"}) {
    EXPECT_FALSE(ExactJson::Parse(text)->truthy()) << text;
  }
  for (const char* text : {"true", "1", "0.1", "\" \"", "[0]", "{\"a\":0}"}) {
    EXPECT_TRUE(ExactJson::Parse(text)->truthy()) << text;
  }
}

}  // namespace
}  // namespace carat
