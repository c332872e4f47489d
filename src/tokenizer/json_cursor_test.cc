#include "tokenizer/json_cursor.h"

#include <gtest/gtest.h>

#include <string>

namespace carat {
namespace {

TEST(JsonCursorTest, ReadsEscapes) {
  JsonCursor cursor(R"(["a\n\"\\\/\u00e9\ud83d\ude00z", "plain"])");
  ASSERT_TRUE(cursor.EnterArray());
  std::string_view text;
  ASSERT_TRUE(cursor.NextElement() && cursor.String(&text));
  EXPECT_EQ(text, "a\n\"\\/\u00e9\U0001F600z");
  ASSERT_TRUE(cursor.NextElement() && cursor.String(&text));
  EXPECT_EQ(text, "plain");
  EXPECT_FALSE(cursor.NextElement());
  EXPECT_TRUE(cursor.ok() && cursor.AtEnd());
}

TEST(JsonCursorTest, SkipsAnyValueAndBoundsNesting) {
  JsonCursor good(R"({"a":[1,{"b":[]},"x\"]",-1.5e3,null],"c":true})");
  EXPECT_TRUE(good.Skip() && good.AtEnd());
  for (const char* text : {"[1 2]", "{\"a\"}", "{1:2}", "[", "[}", "\"abc",
                           "[1,", "\"\\q\"", "\"\\u12G4\"", "\"\x01\""}) {
    JsonCursor bad(text);
    EXPECT_FALSE(bad.Skip()) << text;
    EXPECT_FALSE(bad.ok()) << text;
  }
  const std::string deep(100000, '[');
  JsonCursor nested(deep);
  EXPECT_FALSE(nested.Skip());
}

}  // namespace
}  // namespace carat
