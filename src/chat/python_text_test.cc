#include "chat/python_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carat {
namespace {

TEST(PythonStrip, TakesUnicodeSpaceAndNothingElse) {
  EXPECT_EQ(PythonStrip("\t\n\x0b\x0c\r\x1c\x1f \u0085\u00a0\u1680\u2000a\u2028"
                        "\u2029\u202f\u205f\u3000"),
            "a");
  EXPECT_EQ(PythonStrip("\u200b a \ufeff"), "\u200b a \ufeff");
  EXPECT_EQ(PythonStrip(" \n "), "");
  EXPECT_EQ(PythonStrip(""), "");
  EXPECT_EQ(PythonStrip("\x80 "), "\x80");  // not UTF-8: no whitespace
}

TEST(PythonNumber, PrintsFloatsLikeRepr) {
  const std::pair<const char*, const char*> kCases[] = {
      {"2.0", "2.0"},
      {"1e-7", "1e-07"},
      {"1E16", "1e+16"},
      {"1e15", "1000000000000000.0"},
      {"0.0001", "0.0001"},
      {"0.00001", "1e-05"},
      {"-0.0", "-0.0"},
      {"1.5e300", "1.5e+300"},
      {"5e-324", "5e-324"},
      {"1e2", "100.0"},
      {"0.10", "0.1"},
      {"123456.789", "123456.789"},
      {"1e22", "1e+22"},
      {"1e-400", "0.0"},
      {"-1e-400", "-0.0"},
      {"1e400", "1e400"},
      {"-0", "0"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"9007199254740993.0", "9007199254740992.0"}};
  for (const auto& [given, printed] : kCases) {
    EXPECT_EQ(PythonNumber(given), printed);
  }
}

TEST(PythonLower, FollowsUnicode) {
  EXPECT_EQ(PythonLower("ABC xyz ÄÖÜ ЖЩ ΔΩ"), "abc xyz äöü жщ δω");
  EXPECT_EQ(PythonLower("İ"), "i\u0307");
  EXPECT_EQ(PythonLower("ΑΣ ΣΑ Σ"), "ας σα σ");
  EXPECT_EQ(PythonLower("𐐀"), "𐐨");
}

TEST(PythonStr, PrintsValuesLikePython) {
  EXPECT_EQ(
      PythonStr(*ExactJson::Parse(R"([null,true,"a","it's",1e-7,{"k":[]}])")),
      R"([None, True, 'a', "it's", 1e-07, {'k': []}])");
}

TEST(SortedMembers, IgnoresCaseAndKeepsTies) {
  const ExactJson object =
      *ExactJson::Parse(R"({"b":1,"A":2,"_z":3,"B":4,"a":5,"Z":6})");
  std::string order;
  for (const ExactJson::Member* member : SortedMembers(object)) {
    order += member->key + " ";
  }
  EXPECT_EQ(order, "_z A a b B Z ");
}

}  // namespace
}  // namespace carat
