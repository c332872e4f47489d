#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/matmul.h"
#include "kernels/matmul_test_data.h"
#include "kernels/pack_layout.h"
#include "tensor/dequantize.h"

namespace carat {
namespace {

using testing::RandomWeights;

class PackTest : public ::testing::TestWithParam<int> {};

std::string Name(const ::testing::TestParamInfo<int>& info) {
  return DTypeName(static_cast<DType>(info.param));
}

TEST_P(PackTest, UnpackedRowsEqualDequantizedRows) {
  const DType type = static_cast<DType>(GetParam());
  ThreadPool pool(2);
  for (int64_t rows : {1, 16, 37}) {
    const int64_t cols =
        type == DType::kF32 || type == DType::kF16 || type == DType::kBF16
            ? 75
            : 768;
    const std::vector<uint8_t> bytes = RandomWeights(type, rows, cols, 1);
    Result<PackedMatrix> w = PackMatrix(type, rows, cols, bytes.data(), pool);
    ASSERT_TRUE(w.ok()) << w.status().message();
    EXPECT_EQ(w->data.bytes(), PackedBytes(type, rows, cols));
    std::vector<float> expected(static_cast<size_t>(rows * cols));
    Dequantize(type, bytes.data(), expected.size(), expected.data());
    std::vector<float> row(static_cast<size_t>(cols));
    for (int64_t r = 0; r < rows; ++r) {
      UnpackRow(*w, r, row.data());
      for (int64_t c = 0; c < cols; ++c) {
        uint32_t a, b;
        std::memcpy(&a, &row[c], 4);
        std::memcpy(&b, &expected[r * cols + c], 4);
        ASSERT_EQ(a, b) << "row " << r << " column " << c << ": " << row[c]
                        << " for " << expected[r * cols + c];
      }
    }
  }
}

TEST_P(PackTest, PackedBytesStayCloseToStoredBytes) {
  const DType type = static_cast<DType>(GetParam());
  const size_t packed = PackedBytes(type, 64, 768);
  if (LayoutFor(type) == PackedLayout::kIQ) {
    EXPECT_LE(packed, 64 * 768 * 0.59);
  } else {
    const double stored = static_cast<double>(DTypeBytes(type, 64 * 768));
    const double limit = type == DType::kMXFP4  ? 1.18  // an f32 for a byte
                         : type == DType::kQ3_K ? 1.04
                                                : 1.03;
    EXPECT_LE(packed, limit * stored);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PackTest,
                         ::testing::Range(0, static_cast<int>(DType::kI8)),
                         Name);

TEST(PackMatrixTest, RefusesIntegersAndPartialBlocks) {
  ThreadPool pool(1);
  const std::vector<uint8_t> bytes(4096);
  EXPECT_EQ(PackMatrix(DType::kI32, 4, 4, bytes.data(), pool).status().code(),
            StatusCode::kUnsupported);
  EXPECT_EQ(PackMatrix(DType::kQ4_0, 4, 48, bytes.data(), pool).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(PackMatrix(DType::kF32, -1, 4, bytes.data(), pool).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(PackMatrix(DType::kF32, int64_t{1} << 40, int64_t{1} << 40,
                       bytes.data(), pool)
                .status()
                .code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(PackedBytes(DType::kI32, 4, 4), 0u);
}

TEST(PackMatrixTest, ProgressCoversTheSourceInOrder) {
  ThreadPool pool(2);
  const int64_t rows = 9001, cols = 2048;
  const std::vector<uint8_t> bytes(DTypeBytes(DType::kQ8_0, rows * cols));
  size_t seen = 0;
  int calls = 0;
  const auto progress = [&](const uint8_t* data, size_t size) {
    EXPECT_EQ(data, bytes.data() + seen);
    seen += size;
    ++calls;
  };
  ASSERT_TRUE(
      PackMatrix(DType::kQ8_0, rows, cols, bytes.data(), pool, progress).ok());
  EXPECT_EQ(seen, bytes.size());
  EXPECT_GE(calls, 2);
}

class QuantizeTest : public ::testing::Test {
 protected:
  const ActBlock& Quantize(const std::vector<float>& values) {
    x_.Resize(1, static_cast<int64_t>(values.size()));
    std::copy(values.begin(), values.end(), x_.row(0));
    x_.Quantize(pool_);
    return x_.quantized(0)[0];
  }
  ThreadPool pool_{1};
  Activations x_;
};

TEST_F(QuantizeTest, ZerosStayZero) {
  const ActBlock& block = Quantize(std::vector<float>(32, -0.0f));
  EXPECT_EQ(block.scale, 0.0f);
  EXPECT_EQ(block.scaled_sum, 0.0f);
  for (int8_t q : block.q) EXPECT_EQ(q, 0);
}

TEST_F(QuantizeTest, DenormalsBecomeZero) {
  const ActBlock& block = Quantize(std::vector<float>(32, 1e-42f));
  EXPECT_EQ(block.scale, 0.0f);
  EXPECT_EQ(block.q[0], 0);
}

TEST_F(QuantizeTest, TinyAndHugeValuesKeepTheirRange) {
  for (float top : {2e-30f, 1.0f, 3e38f}) {
    std::vector<float> values(32, top / 4);
    values[9] = -top;
    const ActBlock& block = Quantize(values);
    EXPECT_EQ(block.scale, top / 127.0f);
    EXPECT_EQ(block.q[9], -127);
    EXPECT_EQ(block.q[0], 32);  // 31.75
  }
}

TEST_F(QuantizeTest, TiesGoToEven) {
  std::vector<float> values(32, 0.0f);
  values[0] = 127.0f;  // the scale is 1
  values[1] = 0.5f;
  values[2] = 1.5f;
  values[3] = 2.5f;
  values[4] = -0.5f;
  values[5] = -1.5f;
  values[6] = 2.4999f;
  const ActBlock& block = Quantize(values);
  const int expected[] = {127, 0, 2, 2, 0, -2, 2};
  for (int k = 0; k < 7; ++k) EXPECT_EQ(block.q[k], expected[k]) << k;
}

TEST_F(QuantizeTest, NotFiniteValuesGiveANanScale) {
  for (float bad : {INFINITY, -INFINITY, NAN}) {
    std::vector<float> values(32, 1.0f);
    values[31] = bad;
    EXPECT_TRUE(std::isnan(Quantize(values).scale));
  }
}

TEST_F(QuantizeTest, EveryInstructionSetGivesTheSameBytes) {
  Activations reference, x;
  for (int64_t cols : {32, 75, 640, 1536}) {
    testing::RandomActivations(5, cols, 3, reference);
    reference.row(1)[7] = NAN;
    reference.row(1)[40 % cols] = -INFINITY;
    std::fill_n(reference.row(2), cols, -0.0f);
    std::fill_n(reference.row(3), cols, 1e-31f);
    for (int64_t c = 0; c < cols; ++c) {
      // Many ties: halves under a scale of one.
      reference.row(4)[c] = c % 32 == 3 ? -127.0f : 0.5f * (c % 9 - 4);
    }
    reference.QuantizeWith(Isa::kScalar, pool_);
    for (Isa isa : SupportedIsas()) {
      x.Resize(5, cols);
      for (int64_t r = 0; r < 5; ++r) {
        std::copy_n(reference.row(r), cols, x.row(r));
      }
      x.QuantizeWith(isa, pool_);
      const int64_t blocks = x.blocks();
      for (int64_t r = 0; r < 5; ++r) {
        EXPECT_EQ(std::memcmp(x.quantized(r), reference.quantized(r),
                              blocks * sizeof(ActBlock)),
                  0)
            << IsaName(isa) << " row " << r << " of " << cols << " columns";
      }
    }
  }
}

TEST_F(QuantizeTest, SumsDescribeTheValues) {
  Activations x;
  testing::RandomActivations(3, 75, 1, x);
  x.Quantize(pool_);
  ASSERT_EQ(x.blocks(), 3);
  for (int64_t r = 0; r < 3; ++r) {
    for (int64_t b = 0; b < 3; ++b) {
      const ActBlock& block = x.quantized(r)[b];
      int pair[2][2] = {};
      for (int k = 0; k < 32; ++k) pair[k / 16][k / 2 % 2] -= block.q[k];
      EXPECT_EQ(block.neg_first, pair[0][0] + pair[0][1]);
      EXPECT_EQ(block.neg_second, pair[1][0] + pair[1][1]);
      EXPECT_EQ(block.neg_sum, block.neg_first + block.neg_second);
      EXPECT_EQ(block.scaled_sum,
                block.scale * static_cast<float>(-block.neg_sum));
      int16_t lanes[3][2];
      std::memcpy(lanes[0], &block.lanes_first, 4);
      std::memcpy(lanes[1], &block.lanes_second, 4);
      std::memcpy(lanes[2], &block.lanes, 4);
      for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(lanes[0][i], pair[0][i]);
        EXPECT_EQ(lanes[1][i], pair[1][i]);
        EXPECT_EQ(lanes[2][i], pair[0][i] + pair[1][i]);
      }
      for (int k = 0; k < 32; ++k) {
        const int64_t c = b * 32 + k;
        const float value = c < 75 ? x.row(r)[c] : 0.0f;
        EXPECT_NEAR(block.scale * block.q[k], value, 0.501f * block.scale);
      }
    }
  }
}

}  // namespace
}  // namespace carat
