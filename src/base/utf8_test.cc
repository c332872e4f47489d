#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace carat {
namespace {

const std::string kFffd = "\xEF\xBF\xBD";

TEST(Utf8Test, EveryCodePointRoundTrips) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code == 0xD800) code = 0xE000;
    std::string text;
    AppendUtf8(code, &text);
    const Utf8Char c = DecodeUtf8(text);
    ASSERT_TRUE(c.valid) << static_cast<uint32_t>(code);
    ASSERT_EQ(c.code, code);
    ASSERT_EQ(c.size, text.size());
    ASSERT_TRUE(IsValidUtf8(text));
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const Utf8Char part = DecodeUtf8(text.substr(0, cut));
      ASSERT_FALSE(part.valid);
      ASSERT_TRUE(part.incomplete);
      ASSERT_EQ(part.size, cut);
    }
  }
}

TEST(Utf8Test, SurrogatesAndLargeCodesAreReplaced) {
  for (const char32_t code : {0xD800u, 0xDFFFu, 0x110000u, 0xFFFFFFFFu}) {
    std::string text;
    AppendUtf8(code, &text);
    EXPECT_EQ(text, kFffd);
  }
}

TEST(Utf8Test, FindsTheFirstInvalidByte) {
  EXPECT_EQ(FirstInvalidUtf8(""), 0u);
  EXPECT_EQ(FirstInvalidUtf8("0123456789abcdef\xFF"), 16u);
  EXPECT_EQ(FirstInvalidUtf8("a\xC3\xA9\xC3"), 3u);
  EXPECT_TRUE(IsValidUtf8("plain, \xC3\xA9, \xE2\x82\xAC, \xF0\x9F\x98\x80"));
  EXPECT_FALSE(IsValidUtf8("\xC0\xAF"));          // overlong
  EXPECT_FALSE(IsValidUtf8("\xE0\x80\xAF"));      // overlong
  EXPECT_FALSE(IsValidUtf8("\xF0\x80\x80\xAF"));  // overlong
  EXPECT_FALSE(IsValidUtf8("\xED\xA0\x80"));      // surrogate
  EXPECT_FALSE(IsValidUtf8("\xF4\x90\x80\x80"));  // beyond U+10FFFF
}

// Unicode 15, table 3-8: each maximal subpart becomes one U+FFFD.
TEST(Utf8Test, SanitizeReplacesMaximalSubparts) {
  EXPECT_EQ(
      SanitizeUtf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF"
                   "\x64"),
      "a" + kFffd + kFffd + kFffd + "b" + kFffd + "c" + kFffd + kFffd + "d");
  EXPECT_EQ(SanitizeUtf8("\xC0\xAF"), kFffd + kFffd);
  EXPECT_EQ(SanitizeUtf8("\xED\xA0\x80"), kFffd + kFffd + kFffd);
  EXPECT_EQ(SanitizeUtf8("ok \xC3\xA9"), "ok \xC3\xA9");
}

TEST(Utf8Test, CompletePrefixNeverEndsInsideACharacter) {
  EXPECT_EQ(CompleteUtf8Prefix(""), 0u);
  EXPECT_EQ(CompleteUtf8Prefix("abc"), 3u);
  EXPECT_EQ(CompleteUtf8Prefix("abc\xF0\x9F\x98"), 3u);
  EXPECT_EQ(CompleteUtf8Prefix("abc\xF0\x9F"), 3u);
  EXPECT_EQ(CompleteUtf8Prefix("abc\xF0"), 3u);
  EXPECT_EQ(CompleteUtf8Prefix("abc\xF0\x9F\x98\x80"), 7u);
  EXPECT_EQ(CompleteUtf8Prefix("\xC3\xA9\xC3"), 2u);
  // Broken bytes are as complete as they will ever be.
  EXPECT_EQ(CompleteUtf8Prefix("\x80\x80\x80"), 3u);
  EXPECT_EQ(CompleteUtf8Prefix("a\xE0\x80"), 3u);
  EXPECT_EQ(CompleteUtf8Prefix("\xFF"), 1u);
}

TEST(Utf8Test, QuotedNamesAreShortAndPrintable) {
  EXPECT_EQ(QuoteForMessage("blk.0\n"), "\"blk.0\\n\"");
  EXPECT_EQ(QuoteForMessage("\xFF"), "\"" + kFffd + "\"");
  const std::string quoted = QuoteForMessage(std::string(500, 'x'), 10);
  EXPECT_EQ(quoted, "\"xxxxxxxxxx\"...");
  EXPECT_EQ(QuoteForMessage("\xC3\xA9\xC3\xA9", 3), "\"\xC3\xA9\"...");
}

}  // namespace
}  // namespace carat
