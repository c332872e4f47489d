#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/matmul_test_data.h"
#include "kernels/vector.h"
#include "tensor/dequantize.h"

namespace carat {
namespace {

using testing::ExtremeActivations;
using testing::RandomActivations;
using testing::RandomWeights;

constexpr DType kTypes[] = {
    DType::kF32,    DType::kF16,     DType::kBF16,  DType::kQ4_0,
    DType::kQ4_1,   DType::kQ5_0,    DType::kQ5_1,  DType::kQ8_0,
    DType::kQ3_K,   DType::kQ4_K,    DType::kQ5_K,  DType::kQ6_K,
    DType::kIQ4_NL, DType::kIQ4_XS,  DType::kQ2_K,  DType::kIQ1_M,
    DType::kIQ2_XS, DType::kIQ3_XXS, DType::kMXFP4,
};

PackedMatrix Pack(DType type, int64_t rows, int64_t cols, uint64_t seed,
                  ThreadPool& pool) {
  const std::vector<uint8_t> bytes = RandomWeights(type, rows, cols, seed);
  Result<PackedMatrix> packed =
      PackMatrix(type, rows, cols, bytes.data(), pool);
  EXPECT_TRUE(packed.ok()) << packed.status().message();
  return std::move(packed).value();
}

std::vector<float> Multiply(Isa isa, const PackedMatrix& w,
                            const MatMulRows& in, ThreadPool& pool) {
  // A gap behind each row shows writes beyond the last output.
  const int64_t stride = w.rows + 3;
  std::vector<float> y(static_cast<size_t>(in.count * stride), 777.0f);
  MatMulWith(isa, w, in, y.data(), stride, pool);
  return y;
}

void MultiplyGated(Isa isa, const PackedMatrix& gate, const PackedMatrix& up,
                   const MatMulRows& in, std::vector<float>& y,
                   ThreadPool& pool) {
  const MatMulProduct product = {.w = &gate,
                                 .up = &up,
                                 .in = in,
                                 .y = y.data(),
                                 .y_stride = gate.rows + 3};
  MatMulTogetherWith(isa, {&product, 1}, pool);
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::string Name(const ::testing::TestParamInfo<DType>& info) {
  return DTypeName(info.param);
}

class MatMulTest : public ::testing::TestWithParam<DType> {
 protected:
  // Columns that are whole blocks, around one and several panels.
  std::vector<int64_t> Columns() const {
    const int64_t block = static_cast<int64_t>(GetDTypeInfo(GetParam()).block);
    if (block == 1) return {1, 31, 160};
    if (block == 32) return {32, 544};
    return {256, 768};
  }
};

TEST_P(MatMulTest, EveryInstructionSetEqualsScalar) {
  ThreadPool one(1), two(2), three(3);
  for (int64_t cols : Columns()) {
    for (int64_t rows : {1, 16, 39}) {
      const PackedMatrix w = Pack(GetParam(), rows, cols, 1, one);
      for (int64_t count : {1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 64}) {
        Activations x;
        RandomActivations(count, cols, 2, x);
        x.Quantize(two);
        const MatMulRows in = {.x = &x, .count = count};
        const std::vector<float> expected = Multiply(Isa::kScalar, w, in, one);
        for (Isa isa : SupportedIsas()) {
          x.QuantizeWith(isa, two);
          for (ThreadPool* pool : {&one, &two, &three}) {
            if (isa == Isa::kScalar && count > 8) continue;
            EXPECT_TRUE(SameBits(Multiply(isa, w, in, *pool), expected))
                << IsaName(isa) << " " << rows << "x" << cols << " times "
                << count << ", " << pool->threads() << " threads";
          }
        }
      }
    }
  }
}

TEST_P(MatMulTest, BatchedRowsEqualSingleRows) {
  ThreadPool pool(2);
  const int64_t cols = Columns().back(), rows = 35, count = 150;
  const PackedMatrix w = Pack(GetParam(), rows, cols, 3, pool);
  Activations x;
  RandomActivations(count, cols, 4, x);
  x.Quantize(pool);
  const Isa isa = ActiveIsa();
  const std::vector<float> all =
      Multiply(isa, w, {.x = &x, .count = count}, pool);
  for (int32_t r = 0; r < count; ++r) {
    const std::vector<float> one =
        Multiply(isa, w, {.x = &x, .index = &r, .count = 1}, pool);
    ASSERT_EQ(std::memcmp(one.data(), all.data() + r * (rows + 3),
                          rows * sizeof(float)),
              0)
        << "row " << r;
  }
}

TEST_P(MatMulTest, IndexGathersAndRepeatsRows) {
  ThreadPool pool(2);
  const int64_t cols = Columns().back(), rows = 20;
  const PackedMatrix w = Pack(GetParam(), rows, cols, 5, pool);
  Activations x;
  RandomActivations(9, cols, 6, x);
  x.Quantize(pool);
  const std::vector<int32_t> index = {8, 0, 0, 5, 7, 2, 8};
  const MatMulRows in = {
      .x = &x, .index = index.data(), .count = std::ssize(index)};
  const std::vector<float> all =
      Multiply(Isa::kScalar, w, {.x = &x, .count = 9}, pool);
  for (Isa isa : SupportedIsas()) {
    x.QuantizeWith(isa, pool);
    const std::vector<float> some = Multiply(isa, w, in, pool);
    for (size_t i = 0; i < index.size(); ++i) {
      EXPECT_EQ(
          std::memcmp(some.data() + i * (rows + 3),
                      all.data() + index[i] * (rows + 3), rows * sizeof(float)),
          0)
          << IsaName(isa) << " " << i;
    }
  }
}

// Integer sums at the ends of their range must not saturate or wrap.
TEST_P(MatMulTest, ExtremeCodesStayExact) {
  ThreadPool pool(1);
  const int64_t cols = Columns().back(), rows = 32, count = 6;
  const DType type = GetParam();
  if (GetDTypeInfo(type).block == 1) return;  // no codes
  Activations x;
  ExtremeActivations(count, cols, x);
  x.Quantize(pool);
  for (uint8_t fill : {0x00, 0xff, 0x0f, 0x80, 0x7f}) {
    std::vector<uint8_t> bytes = RandomWeights(type, rows, cols, 7);
    const size_t block = GetDTypeInfo(type).block_bytes;
    for (size_t i = 0; i < bytes.size(); ++i) {
      bool half = false;
      for (int at : testing::HalfFieldsOf(type).at) {
        if (at < 0) continue;
        const int in_block = static_cast<int>(i % block);
        half = half || in_block == at || in_block == at + 1;
      }
      if (!half) bytes[i] = fill;
      if (type == DType::kMXFP4 && i % block == 0) bytes[i] = 120;
      // Keeps the scattered binary16 finite.
      if (type == DType::kIQ1_M && i % block == 55) bytes[i] &= 0x3f;
    }
    Result<PackedMatrix> w = PackMatrix(type, rows, cols, bytes.data(), pool);
    ASSERT_TRUE(w.ok());
    const MatMulRows in = {.x = &x, .count = count};
    const std::vector<float> expected = Multiply(Isa::kScalar, *w, in, pool);
    for (Isa isa : SupportedIsas()) {
      x.QuantizeWith(isa, pool);
      EXPECT_TRUE(SameBits(Multiply(isa, *w, in, pool), expected))
          << IsaName(isa) << " fill " << int{fill};
    }
  }
}

TEST_P(MatMulTest, ScalarEqualsDoublePrecisionProduct) {
  ThreadPool pool(1);
  const int64_t cols = Columns().back(), rows = 21, count = 3;
  const DType type = GetParam();
  const std::vector<uint8_t> bytes = RandomWeights(type, rows, cols, 8);
  Result<PackedMatrix> w = PackMatrix(type, rows, cols, bytes.data(), pool);
  ASSERT_TRUE(w.ok());
  std::vector<float> weights(static_cast<size_t>(rows * cols));
  Dequantize(type, bytes.data(), weights.size(), weights.data());
  Activations x;
  RandomActivations(count, cols, 9, x);
  x.Quantize(pool);
  const std::vector<float> y =
      Multiply(Isa::kScalar, *w, {.x = &x, .count = count}, pool);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t r = 0; r < rows; ++r) {
      double sum = 0, magnitude = 0;
      for (int64_t c = 0; c < cols; ++c) {
        double value = x.row(i)[c];
        if (UsesInt8(w->layout)) {
          const ActBlock& block = x.quantized(i)[c / kActBlock];
          value = static_cast<double>(block.scale) * block.q[c % kActBlock];
        }
        sum += value * weights[r * cols + c];
        magnitude += std::abs(value * weights[r * cols + c]);
      }
      // One rounding per update, of partial sums below `magnitude`.
      EXPECT_NEAR(y[i * (rows + 3) + r], sum, 3e-6 * magnitude + 1e-12);
    }
  }
}

TEST_P(MatMulTest, SomeOutputsEqualThoseOfAll) {
  ThreadPool pool(2);
  const int64_t cols = Columns().back(), rows = 53, count = 3;
  const PackedMatrix w = Pack(GetParam(), rows, cols, 16, pool);
  Activations x;
  RandomActivations(count, cols, 17, x);
  x.Quantize(pool);
  const MatMulRows in = {.x = &x, .count = count};
  const std::vector<float> all = Multiply(ActiveIsa(), w, in, pool);
  for (int64_t first : {0, 16, 32}) {
    const PackedMatrix part = RowsOf(w, first, first == 32 ? 21 : 16);
    const std::vector<float> some = Multiply(ActiveIsa(), part, in, pool);
    for (int64_t i = 0; i < count; ++i) {
      EXPECT_EQ(std::memcmp(some.data() + i * (part.rows + 3),
                            all.data() + i * (rows + 3) + first,
                            part.rows * sizeof(float)),
                0)
          << "rows from " << first;
    }
  }
}

TEST_P(MatMulTest, GatedProductEqualsItsParts) {
  ThreadPool one(1), two(2);
  const int64_t cols = Columns().back(), rows = 71;
  const PackedMatrix gate = Pack(GetParam(), rows, cols, 10, one);
  const PackedMatrix up = Pack(DType::kQ8_0, rows, cols / 32 * 32, 11, one);
  const PackedMatrix& second = up.cols == cols ? up : gate;
  for (int64_t count : {1, 3, 8, 40, 200}) {
    Activations x;
    RandomActivations(count, cols, 12, x);
    x.Quantize(one);
    const MatMulRows in = {.x = &x, .count = count};
    const int64_t stride = rows + 3;
    std::vector<float> expected = Multiply(ActiveIsa(), gate, in, one);
    const std::vector<float> raised = Multiply(ActiveIsa(), second, in, one);
    for (int64_t i = 0; i < count; ++i) {
      float* row = expected.data() + i * stride;
      GatedGelu(row, raised.data() + i * stride, rows, row);
    }
    Activations expected_blocks, blocks;
    blocks.Resize(count + 2, rows);
    expected_blocks.Resize(count, rows);
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(expected.data() + i * stride, rows, expected_blocks.row(i));
    }
    for (Isa isa : SupportedIsas()) {
      x.QuantizeWith(isa, one);
      std::vector<float> y(expected.size(), 777.0f);
      MultiplyGated(isa, gate, second, in, y, two);
      EXPECT_TRUE(SameBits(y, expected)) << IsaName(isa) << " " << count;

      expected_blocks.QuantizeWith(isa, one);
      const MatMulProduct product = {
          .w = &gate, .up = &second, .in = in, .to = &blocks, .to_row = 2};
      MatMulTogetherWith(isa, {&product, 1}, two);
      ASSERT_EQ(blocks.has_wide(), expected_blocks.has_wide());
      const int64_t bytes = blocks.blocks() * (blocks.has_wide() ? 2 : 1) *
                            static_cast<int64_t>(sizeof(ActBlock));
      for (int64_t i = 0; i < count; ++i) {
        EXPECT_EQ(std::memcmp(blocks.quantized(i + 2),
                              expected_blocks.quantized(i), bytes),
                  0)
            << IsaName(isa) << " " << count << ", row " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MatMulTest, ::testing::ValuesIn(kTypes), Name);

TEST(MatMulTogetherTest, ManyProductsEqualSingleOnes) {
  ThreadPool one(1), three(3);
  constexpr int64_t kCols = 96;
  Activations x;
  RandomActivations(12, kCols, 15, x);
  x.Quantize(one);
  const int32_t index[] = {11, 0, 4, 4, 7, 2, 3, 9, 8, 1, 6};
  // More products than are kept on the stack; some without rows, some gated.
  std::vector<PackedMatrix> weights;
  for (int i = 0; i < 11; ++i) {
    const DType type = i % 3 == 0 ? DType::kBF16 : DType::kQ4_0;
    weights.push_back(Pack(type, 17 + 16 * (i / 2), kCols, 20 + i, one));
  }
  for (Isa isa : SupportedIsas()) {
    x.QuantizeWith(isa, one);
    std::vector<std::vector<float>> expected, found;
    std::vector<MatMulProduct> products;
    for (int i = 0; i < 10; ++i) {
      const PackedMatrix& w = weights[i];
      const PackedMatrix* up = i % 2 == 0 && i > 3 ? &weights[i + 1] : nullptr;
      const MatMulRows in = {
          .x = &x, .index = index + i % 2, .count = i == 2 ? 0 : i + 1};
      const int64_t stride = w.rows + 3;
      std::vector<float> y(static_cast<size_t>(in.count * stride), 777.0f);
      found.push_back(y);
      if (up != nullptr) {
        MultiplyGated(isa, w, *up, in, y, one);
      } else {
        MatMulWith(isa, w, in, y.data(), stride, one);
      }
      expected.push_back(std::move(y));
      products.push_back({&w, up, in, found.back().data(), stride});
    }
    MatMulTogetherWith(isa, products, three);
    for (size_t i = 0; i < products.size(); ++i) {
      EXPECT_TRUE(SameBits(found[i], expected[i]))
          << IsaName(isa) << " product " << i;
    }
  }
  MatMulTogetherWith(ActiveIsa(), {}, three);  // nothing to do
}

TEST(MatMulDispatchTest, NotFiniteActivationsGiveNotFiniteResults) {
  ThreadPool pool(1);
  const PackedMatrix w = Pack(DType::kQ4_0, 16, 64, 13, pool);
  Activations x;
  RandomActivations(2, 64, 14, x);
  x.row(0)[40] = INFINITY;
  x.row(1)[3] = NAN;
  x.Quantize(pool);
  const std::vector<float> y =
      Multiply(ActiveIsa(), w, {.x = &x, .count = 2}, pool);
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t r = 0; r < 16; ++r) EXPECT_TRUE(std::isnan(y[i * 19 + r]));
  }
}

}  // namespace
}  // namespace carat
