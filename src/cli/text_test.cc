#include "cli/text.h"

#include <gtest/gtest.h>

#include "cli/machine.h"

namespace carat {
namespace {

TEST(Text, BytesKeepThreeDigits) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1024), "1.00 KiB");
  EXPECT_EQ(HumanBytes(uint64_t{1024} * 1024 - 1), "1.00 MiB");
  EXPECT_EQ(HumanBytes(291504128), "278.0 MiB");
  EXPECT_EQ(HumanBytes(uint64_t{5} << 40), "5.00 TiB");
  EXPECT_EQ(HumanBytes(UINT64_MAX), "16777216 TiB");
}

TEST(Text, CountsAndGroups) {
  EXPECT_EQ(HumanCount(999), "999");
  EXPECT_EQ(HumanCount(268098176), "268.1M");
  EXPECT_EQ(HumanCount(3880000000), "3.88B");
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(-1000), "-1,000");
  EXPECT_EQ(Grouped(1048576), "1,048,576");
}

TEST(Text, TableAlignsByCharactersAndDisarmsControls) {
  Table table({Align::kLeft, Align::kRight, Align::kLeft});
  table.Row({"é", "1", "x"});
  table.Row({"long", "100", "\x1b[31m"});
  table.Row({"a", "2"});
  EXPECT_EQ(table.ToString(" "),
            " \u00e9       1  x\n long  100  ?[31m\n a       2\n");
}

TEST(Text, NumberLists) {
  std::vector<int64_t> out;
  EXPECT_TRUE(ParseNumberList("0,2048,8192", &out));
  EXPECT_EQ(out, (std::vector<int64_t>{0, 2048, 8192}));
  EXPECT_TRUE(ParseNumberList("7", &out));
  for (const char* bad : {"", ",", "1,", ",1", "1,,2", "-1", "1 ,2", "x",
                          "99999999999999999999"}) {
    EXPECT_FALSE(ParseNumberList(bad, &out)) << bad;
  }
}

TEST(Text, Medians) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3}), 3);
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
}

TEST(Machine, ReadsTheMarkedChoice) {
  EXPECT_EQ(MarkedChoice("always [madvise] never\n"), "madvise");
  EXPECT_EQ(MarkedChoice("always madvise never"), "");
  EXPECT_EQ(MarkedChoice("] ["), "");
  EXPECT_EQ(MarkedChoice(""), "");
}

}  // namespace
}  // namespace carat
