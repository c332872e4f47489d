#include "formats/metadata.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace carat {
namespace {

template <typename T>
MetaArray ArrayOf(MetaType type, const std::vector<T>& values) {
  MetaArray array;
  array.type = type;
  array.count = values.size();
  array.raw = reinterpret_cast<const uint8_t*>(values.data());
  return array;
}

TEST(MetadataTest, LookUpsOfAbsentKeysAreEmpty) {
  const Metadata meta;
  EXPECT_FALSE(meta.Has("k"));
  EXPECT_EQ(*meta.Int("k"), std::nullopt);
  EXPECT_EQ(*meta.Double("k"), std::nullopt);
  EXPECT_EQ(*meta.Bool("k"), std::nullopt);
  EXPECT_EQ(*meta.String("k"), std::nullopt);
  EXPECT_EQ(*meta.Array("k"), nullptr);
  EXPECT_TRUE(meta.Ints("k")->empty());
}

TEST(MetadataTest, IntegersOfAnySignAreAcceptedWhereTheyFit) {
  Metadata meta;
  meta.Set("u", uint64_t{7});
  meta.Set("i", int64_t{-7});
  meta.Set("huge", std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(*meta.Int("u"), 7);
  EXPECT_EQ(*meta.Int("i"), -7);
  EXPECT_EQ(*meta.Double("i"), -7.0);
  EXPECT_NE(meta.Int("huge").status().message().find("18446744073709551615"),
            std::string::npos);
  EXPECT_FALSE(meta.Ints("huge").ok());
}

TEST(MetadataTest, WrongTypesNameKeyAndBothTypes) {
  Metadata meta;
  meta.Set("s", std::string_view("text"));
  meta.Set("f", 1.5);
  meta.Set("b", true);
  meta.Set("a", MetaArray());
  const auto expect = [](const Status& status, const std::string& text) {
    EXPECT_EQ(status.code(), StatusCode::kMalformed);
    EXPECT_EQ(status.message(), text);
  };
  expect(meta.Int("s").status(),
         "the metadata key \"s\" should be an integer but is a string");
  expect(meta.Int("f").status(),
         "the metadata key \"f\" should be an integer but is a float");
  expect(meta.Double("b").status(),
         "the metadata key \"b\" should be a number but is a boolean");
  expect(meta.Bool("a").status(),
         "the metadata key \"a\" should be a boolean but is an array");
  expect(meta.String("f").status(),
         "the metadata key \"f\" should be a string but is a float");
  expect(meta.Array("s").status(),
         "the metadata key \"s\" should be an array but is a string");
  EXPECT_FALSE(meta.Ints("s").ok());
  EXPECT_FALSE(meta.Ints("f").ok());
}

TEST(MetadataTest, IntsTakeNumbersBooleansAndArraysOfThem) {
  const std::vector<int32_t> numbers = {1, -2, 3};
  const std::vector<uint8_t> bools = {1, 0, 1};
  const std::vector<float> floats = {1.0f};
  const std::vector<uint64_t> huge = {~uint64_t{0}};
  Metadata meta;
  meta.Set("one", uint64_t{5});
  meta.Set("flag", true);
  meta.Set("numbers", ArrayOf(MetaType::kI32, numbers));
  meta.Set("bools", ArrayOf(MetaType::kBool, bools));
  meta.Set("floats", ArrayOf(MetaType::kF32, floats));
  meta.Set("huge", ArrayOf(MetaType::kU64, huge));
  EXPECT_EQ(*meta.Ints("one"), std::vector<int64_t>{5});
  EXPECT_EQ(*meta.Ints("flag"), std::vector<int64_t>{1});
  EXPECT_EQ(*meta.Ints("numbers"), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(*meta.Ints("bools"), (std::vector<int64_t>{1, 0, 1}));
  EXPECT_FALSE(meta.Ints("floats").ok());
  EXPECT_FALSE(meta.Ints("huge").ok());
}

template <typename T>
void ExpectElements(MetaType type, const std::vector<T>& values) {
  // One byte off any alignment, as in a file.
  std::vector<uint8_t> bytes(values.size() * sizeof(T) + 1);
  std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(T));
  MetaArray array;
  array.type = type;
  array.count = values.size();
  array.raw = bytes.data() + 1;
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(array.IntAt(i), static_cast<int64_t>(values[i]));
    EXPECT_EQ(array.DoubleAt(i), static_cast<double>(values[i]));
  }
}

TEST(MetaArrayTest, ElementsOfEveryWidthReadBack) {
  ExpectElements<uint8_t>(MetaType::kU8, {0, 255});
  ExpectElements<int8_t>(MetaType::kI8, {-128, 127});
  ExpectElements<uint16_t>(MetaType::kU16, {0, 65535});
  ExpectElements<int16_t>(MetaType::kI16, {-32768, 32767});
  ExpectElements<uint32_t>(MetaType::kU32, {0, 4294967295u});
  ExpectElements<int32_t>(MetaType::kI32, {INT32_MIN, INT32_MAX});
  ExpectElements<uint64_t>(MetaType::kU64, {0, 1ull << 62});
  ExpectElements<int64_t>(MetaType::kI64, {INT64_MIN, 5});
  ExpectElements<float>(MetaType::kF32, {-3.5f, 2.0f});
  ExpectElements<double>(MetaType::kF64, {-1e15, 0.25});
  ExpectElements<uint8_t>(MetaType::kBool, {0, 1});
}

TEST(MetaArrayTest, FloatsBeyondInt64AreClamped) {
  const std::vector<float> values = {HUGE_VALF, -HUGE_VALF, std::nanf("")};
  const MetaArray array = ArrayOf(MetaType::kF32, values);
  EXPECT_EQ(array.IntAt(0), INT64_MAX);
  EXPECT_EQ(array.IntAt(1), INT64_MIN);
  EXPECT_EQ(array.IntAt(2), 0);
}

}  // namespace
}  // namespace carat
