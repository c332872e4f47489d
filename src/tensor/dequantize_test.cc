#include "tensor/dequantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace carat {
namespace {

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

// Files of tools/reference/make_dequant_golden.py. CARAT_DEQUANT_DATA points
// at a larger set made by the same script.
std::string GoldenPath(DType type) {
  const char* folder = std::getenv("CARAT_DEQUANT_DATA");
  const std::string base =
      folder != nullptr ? std::string(folder) : CARAT_TEST_DATA "/dequant";
  return base + "/" + DTypeName(type) + ".bin";
}

bool HasGolden(DType type) {
  switch (type) {
    case DType::kI8:
    case DType::kI16:
    case DType::kI32:
    case DType::kI64:
    case DType::kF64:
      return false;  // the Python package has no dequantisation for them
    default:
      return true;
  }
}

class DequantizeTest : public testing::TestWithParam<DType> {};

TEST_P(DequantizeTest, EqualsTheReferenceBitForBit) {
  const DType type = GetParam();
  std::ifstream in(GoldenPath(type), std::ios::binary);
  ASSERT_TRUE(in) << "missing " << GoldenPath(type);
  const std::string file((std::istreambuf_iterator<char>(in)),
                         std::istreambuf_iterator<char>());
  const DTypeInfo& info = GetDTypeInfo(type);
  const size_t per_block = info.block_bytes + info.block * sizeof(float);
  ASSERT_GT(file.size(), 0u);
  ASSERT_EQ(file.size() % per_block, 0u);
  const size_t elements = file.size() / per_block * info.block;
  const size_t raw_bytes = DTypeBytes(type, elements);

  std::vector<float> expected(elements);
  std::memcpy(expected.data(), file.data() + raw_bytes,
              elements * sizeof(float));
  std::vector<float> found(elements, std::nanf(""));
  Dequantize(type, reinterpret_cast<const uint8_t*>(file.data()), elements,
             found.data());
  for (size_t i = 0; i < elements; ++i) {
    ASSERT_EQ(BitsOf(found[i]), BitsOf(expected[i]))
        << "element " << i << ": expected " << expected[i] << ", found "
        << found[i];
  }
}

std::vector<DType> GoldenTypes() {
  std::vector<DType> types;
  for (int i = 0; i < kDTypeCount; ++i) {
    const DType type = static_cast<DType>(i);
    if (HasGolden(type)) types.push_back(type);
  }
  return types;
}

INSTANTIATE_TEST_SUITE_P(AllTypes, DequantizeTest,
                         testing::ValuesIn(GoldenTypes()),
                         [](const testing::TestParamInfo<DType>& info) {
                           return std::string(DTypeName(info.param));
                         });

template <typename T>
void ExpectCast(DType type, const std::vector<T>& values) {
  // One byte off any alignment: files promise none for small types.
  std::vector<uint8_t> bytes(values.size() * sizeof(T) + 1);
  std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(T));
  std::vector<float> found(values.size());
  Dequantize(type, bytes.data() + 1, values.size(), found.data());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(found[i], static_cast<float>(values[i])) << DTypeName(type);
  }
}

TEST(DequantizeCastTest, PlainNumbersAreCast) {
  ExpectCast<int8_t>(DType::kI8, {-128, -1, 0, 127});
  ExpectCast<int16_t>(DType::kI16, {-32768, 0, 32767});
  ExpectCast<int32_t>(DType::kI32, {INT32_MIN, 16777217, INT32_MAX});
  ExpectCast<int64_t>(DType::kI64, {INT64_MIN, 1, INT64_MAX});
  ExpectCast<double>(DType::kF64, {0.1, -1e300, 1e-300});
}

TEST(DequantizeCastTest, NoElementsTouchNothing) {
  Dequantize(DType::kF32, nullptr, 0, nullptr);
  Dequantize(DType::kQ4_K, nullptr, 0, nullptr);
}

// The definition of binary16, apart from NaN.
double HalfByDefinition(uint16_t half) {
  const int exponent = half >> 10 & 0x1F;
  const int mantissa = half & 0x3FF;
  const double sign = half & 0x8000 ? -1 : 1;
  if (exponent == 0x1F) return sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

bool IsHalfNan(uint16_t half) { return (half & 0x7FFF) > 0x7C00; }

TEST(HalfTest, AllHalvesBecomeTheirValueAndComeBack) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    const uint16_t half = static_cast<uint16_t>(i);
    const float value = HalfToFloat(half);
    if (IsHalfNan(half)) {
      ASSERT_TRUE(std::isnan(value)) << i;
      ASSERT_TRUE(IsHalfNan(FloatToHalf(value))) << i;
      continue;
    }
    ASSERT_EQ(value, HalfByDefinition(half)) << i;
    ASSERT_EQ(std::signbit(value), (half & 0x8000) != 0) << i;
    ASSERT_EQ(FloatToHalf(value), half) << i;
  }
}

// Between every two neighbouring halves, the middle and the floats beside it
// decide all of rounding.
TEST(HalfTest, RoundsToNearestEvenBetweenAllNeighbours) {
  for (uint32_t i = 0; i < 0x7C00; ++i) {
    const uint16_t low = static_cast<uint16_t>(i);
    const uint16_t high = static_cast<uint16_t>(i + 1);
    // Past the largest half, infinity acts as 2^16.
    const double top = high == 0x7C00 ? 65536.0 : HalfByDefinition(high);
    const float middle = static_cast<float>((HalfByDefinition(low) + top) / 2);
    const uint16_t even = low & 1 ? high : low;
    const float below = std::nextafterf(middle, 0.0f);
    const float above = std::nextafterf(middle, HUGE_VALF);
    ASSERT_EQ(FloatToHalf(middle), even) << i;
    ASSERT_EQ(FloatToHalf(below), low) << i;
    ASSERT_EQ(FloatToHalf(above), high) << i;
    ASSERT_EQ(FloatToHalf(-middle), even | 0x8000) << i;
    ASSERT_EQ(FloatToHalf(-below), low | 0x8000) << i;
    ASSERT_EQ(FloatToHalf(-above), high | 0x8000) << i;
  }
}

TEST(HalfTest, HugeAndTinyFloats) {
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::max()), 0x7C00);
  EXPECT_EQ(FloatToHalf(-HUGE_VALF), 0xFC00);
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_TRUE(IsHalfNan(FloatToHalf(std::nanf(""))));
}

TEST(Bf16Test, AllValuesComeBack) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    const uint16_t value = static_cast<uint16_t>(i);
    if ((value & 0x7FFF) > 0x7F80) {
      ASSERT_TRUE(std::isnan(RoundToBf16(Bf16ToFloat(value))));
    } else {
      ASSERT_EQ(FloatToBf16(Bf16ToFloat(value)), value);
    }
  }
}

TEST(Bf16Test, RoundsToNearestEvenBetweenAllNeighbours) {
  for (uint32_t i = 0; i < 0x7F80; ++i) {
    const uint32_t middle = i << 16 | 0x8000;
    const auto rounded = [](uint32_t bits) {
      float value;
      std::memcpy(&value, &bits, 4);
      return static_cast<uint32_t>(FloatToBf16(value));
    };
    ASSERT_EQ(rounded(middle), i + (i & 1));
    ASSERT_EQ(rounded(middle - 1), i);
    ASSERT_EQ(rounded(middle + 1), i + 1);
    ASSERT_EQ(rounded((middle + 1) | 0x80000000), (i + 1) | 0x8000);
  }
}

TEST(DTypeTest, GgufIdsMapBothWays) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const DType type = static_cast<DType>(i);
    EXPECT_EQ(DTypeFromGguf(GgufFromDType(type)), type);
    EXPECT_EQ(GgufTypeName(GgufFromDType(type)), DTypeName(type));
  }
  for (const uint32_t id : {4u, 5u, 9u, 15u, 31u, 34u, 40u, 99u, ~0u}) {
    EXPECT_EQ(DTypeFromGguf(id), std::nullopt) << id;
  }
  EXPECT_EQ(GgufTypeName(34), "34 (TQ1_0)");
  EXPECT_EQ(GgufTypeName(99), "99");
}

TEST(TensorViewTest, RowsColumnsAndShape) {
  TensorView view;
  view.shape = {2, 3, 4};
  EXPECT_EQ(view.elements(), 24);
  EXPECT_EQ(view.cols(), 4);
  EXPECT_EQ(view.rows(), 6);
  EXPECT_EQ(ShapeString(view.shape), "[2, 3, 4]");
  EXPECT_EQ(ShapeString({}), "[]");
  EXPECT_EQ(TensorView().elements(), 1);
}

}  // namespace
}  // namespace carat
