#include "tokenizer/wire_reader.h"

#include <gtest/gtest.h>

namespace carat {
namespace {

TEST(WireReaderTest, RefusesWhatDoesNotFit) {
  for (const std::string_view message :
       {std::string_view("\x0A\x05"
                         "abc",
                         5),                  // five bytes promised
        std::string_view("\x08", 1),          // no value
        std::string_view("\x0D\x01\x02", 3),  // half a float
        std::string_view("\x03\x04", 2),      // a group
        std::string_view("\x02\x00", 2),      // field number 0
        std::string_view("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 11),
        std::string_view("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11)}) {
    WireReader reader(message);
    WireReader::Field field;
    while (reader.Next(&field)) {
    }
    EXPECT_FALSE(reader.ok());
  }
}

}  // namespace
}  // namespace carat
