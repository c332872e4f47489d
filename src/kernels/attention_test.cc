#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "tensor/dequantize.h"

namespace carat {
namespace {

// A cache of one layer filled with noise, and the plain values beside it.
struct Cache {
  KvSlice slice;
  std::vector<AlignedBuffer> pages;
  std::vector<uint8_t*> table;
  std::vector<float> k, v;  // [positions, kv_heads * head_dim]

  Cache(KvType type, int kv_heads, int head_dim, int64_t positions) {
    slice = {type, 0, kv_heads, head_dim};
    std::mt19937 rng(7);
    std::normal_distribution<float> normal;
    const int64_t width = kv_heads * head_dim;
    k.resize(positions * width);
    v.resize(positions * width);
    for (float& x : k) x = normal(rng);
    for (float& x : v) x = normal(rng);
    for (int64_t p = 0; p < positions; ++p) {
      if (p % kKvTile == 0) {
        pages.emplace_back(slice.bytes());
        table.push_back(pages.back().data());
      }
      KvWrite(slice, table.back(), p, &k[p * width], &v[p * width]);
    }
    if (type == KvType::kF16) {
      for (float& x : k) x = HalfToFloat(FloatToHalf(x));
      for (float& x : v) x = HalfToFloat(FloatToHalf(x));
    }
    if (type == KvType::kQ8) {
      RoundToQ8(head_dim, &k);
      RoundToQ8(head_dim, &v);
    }
  }

  // What the 8-bit cache stands for, by plain arithmetic.
  static void RoundToQ8(int64_t head_dim, std::vector<float>* x) {
    for (size_t head = 0; head < x->size(); head += head_dim) {
      for (int64_t from = 0; from < head_dim; from += kKvBlock) {
        float* block = x->data() + head + from;
        const int64_t n = std::min(kKvBlock, head_dim - from);
        float top = 0;
        for (int64_t i = 0; i < n; ++i) top = std::max(top, std::abs(block[i]));
        const float scale = HalfToFloat(FloatToHalf(top / 127));
        for (int64_t i = 0; i < n; ++i) {
          block[i] = std::nearbyint(block[i] * (1 / scale)) * scale;
        }
      }
    }
  }
};

std::vector<float> Queries(int64_t n) {
  std::mt19937 rng(11);
  std::normal_distribution<float> normal(0.0f, 0.3f);
  std::vector<float> q(n);
  for (float& x : q) x = normal(rng);
  return q;
}

std::vector<double> Naive(const Cache& c, const float* q, int heads,
                          float scale, float cap, int64_t begin, int64_t end) {
  const int dim = c.slice.head_dim, kv_heads = c.slice.kv_heads;
  const int64_t width = kv_heads * dim;
  std::vector<double> out(heads * dim);
  for (int h = 0; h < heads; ++h) {
    const int kv = h / (heads / kv_heads);
    std::vector<double> s(end - begin);
    double top = -1e300, sum = 0;
    for (int64_t p = begin; p < end; ++p) {
      double dot = 0;
      for (int d = 0; d < dim; ++d) {
        dot += double{q[h * dim + d]} * c.k[p * width + kv * dim + d];
      }
      dot *= scale;
      if (cap > 0) dot = cap * std::tanh(dot / cap);
      s[p - begin] = dot;
      top = std::max(top, dot);
    }
    for (double& x : s) sum += x = std::exp(x - top);
    for (int64_t p = begin; p < end; ++p) {
      for (int d = 0; d < dim; ++d) {
        out[h * dim + d] += s[p - begin] / sum * c.v[p * width + kv * dim + d];
      }
    }
  }
  return out;
}

struct Problem {
  std::vector<AttentionRow> rows;
  std::vector<float> q, out;
  AttentionArgs args;
  Problem(const Cache& c, int heads,
          std::vector<std::pair<int64_t, int64_t>> spans, float cap = 0.0f) {
    const int64_t width = heads * c.slice.head_dim;
    q = Queries(width * spans.size());
    out.assign(q.size(), -1.0f);
    for (auto [begin, end] : spans) {
      rows.push_back({c.table.data(), begin, end});
    }
    args = {.rows = rows.data(),
            .count = static_cast<int64_t>(rows.size()),
            .q = q.data(),
            .q_stride = width,
            .out = out.data(),
            .out_stride = width,
            .heads = heads,
            .scale = 0.7f,
            .softcap = cap,
            .slice = c.slice};
  }
};

TEST(AttentionTest, MatchesDoubleArithmeticOverSplitsWindowsAndCaps) {
  for (KvType type : {KvType::kF32, KvType::kF16, KvType::kQ8}) {
    SCOPED_TRACE(KvTypeName(type));
    for (float cap : {0.0f, 5.0f}) {
      Cache cache(type, 2, 32, 1300);
      Problem run(cache, 8, {{0, 1}, {0, 64}, {3, 65}, {700, 1212}, {0, 1300}},
                  cap);
      ThreadPool pool(2);
      AttentionScratch scratch;
      Attention(run.args, scratch, pool);
      for (size_t r = 0; r < run.rows.size(); ++r) {
        const auto truth = Naive(cache, &run.q[r * 256], 8, 0.7f, cap,
                                 run.rows[r].begin, run.rows[r].end);
        for (int i = 0; i < 256; ++i) {
          ASSERT_NEAR(run.out[r * 256 + i], truth[i], 2e-5) << r << " " << i;
        }
      }
    }
  }
}

class AttentionBitsTest : public ::testing::TestWithParam<KvType> {};

TEST_P(AttentionBitsTest, BatchThreadsAndInstructionSetDoNotChangeBits) {
  Cache cache(GetParam(), 2, 80, 1500);
  std::vector<std::pair<int64_t, int64_t>> spans;
  for (int64_t p = 970; p < 1010; ++p) spans.push_back({p - 400, p + 1});
  for (int64_t p = 1460; p < 1500; ++p) spans.push_back({0, p + 1});
  Problem batch(cache, 6, spans);
  ThreadPool one(1);
  AttentionScratch scratch;
  AttentionWith(Isa::kScalar, batch.args, scratch, one);
  const std::vector<float> truth = batch.out;
  for (Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    for (int threads : {1, 3}) {
      ThreadPool pool(threads);
      std::fill(batch.out.begin(), batch.out.end(), 0.0f);
      AttentionWith(isa, batch.args, scratch, pool);
      EXPECT_EQ(std::memcmp(batch.out.data(), truth.data(),
                            truth.size() * sizeof(float)),
                0);
      // Row by row: the split path instead of the block path.
      for (size_t r = 0; r < spans.size(); r += 19) {
        AttentionArgs solo = batch.args;
        solo.rows += r;
        solo.count = 1;
        solo.q += r * solo.q_stride;
        std::vector<float> out(solo.q_stride);
        solo.out = out.data();
        AttentionWith(isa, solo, scratch, pool);
        EXPECT_EQ(std::memcmp(out.data(), &truth[r * solo.q_stride],
                              out.size() * sizeof(float)),
                  0)
            << r;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, AttentionBitsTest,
                         ::testing::Values(KvType::kF32, KvType::kF16,
                                           KvType::kQ8),
                         [](const auto& info) {
                           return KvTypeName(info.param);
                         });

// One position in a cache of 8 bits, read back through attention to itself:
// softmax over one position is 1, so the output is the value.
std::vector<float> ReadBackQ8(const std::vector<float>& value) {
  const KvSlice slice = {KvType::kQ8, 0, 1, static_cast<int>(value.size())};
  AlignedBuffer page(slice.bytes());
  KvWrite(slice, page.data(), 0, value.data(), value.data());
  uint8_t* table = page.data();
  const AttentionRow row = {&table, 0, 1};
  const std::vector<float> q(value.size(), 0.0f);
  std::vector<float> out(value.size());
  ThreadPool pool(1);
  AttentionScratch scratch;
  Attention({.rows = &row,
             .count = 1,
             .q = q.data(),
             .q_stride = slice.head_dim,
             .out = out.data(),
             .out_stride = slice.head_dim,
             .heads = 1,
             .slice = slice},
            scratch, pool);
  return out;
}

TEST(KvWriteTest, EightBitsKeepEachBlockToItsOwnScale) {
  std::vector<float> value(80, 0.0f);
  for (int i = 0; i < 32; ++i) value[i] = 1e-3f * static_cast<float>(i - 16);
  for (int i = 32; i < 80; ++i) value[i] = 50.0f * static_cast<float>(i - 60);
  const std::vector<float> out = ReadBackQ8(value);
  for (int i = 0; i < 80; ++i) {
    const float top = i < 32 ? 0.016f : i < 64 ? 1400.0f : 950.0f;
    EXPECT_NEAR(out[i], value[i], top / 127 * 0.51f) << i;
  }
  EXPECT_EQ(out[16], 0.0f);
}

TEST(KvWriteTest, EightBitsStayFiniteWhateverComes) {
  std::vector<float> value(64, 1.0f);
  value[3] = INFINITY;
  value[4] = -INFINITY;
  value[40] = NAN;
  const std::vector<float> out = ReadBackQ8(value);
  EXPECT_EQ(out[3], 65504.0f * 127.0f);
  EXPECT_EQ(out[4], -65504.0f * 127.0f);
  for (float x : out) EXPECT_TRUE(std::isfinite(x));
  EXPECT_NEAR(out[41], 1.0f, 1e-3f);
  for (float x : ReadBackQ8(std::vector<float>(32, 1e-9f))) EXPECT_EQ(x, 0.0f);
}

TEST(KvSliceTest, EightBitsTakeSeventeenThirtySecondsOfF16) {
  const KvSlice q8 = {KvType::kQ8, 0, 2, 256}, f16 = {KvType::kF16, 0, 2, 256};
  EXPECT_EQ(q8.bytes() * 32, f16.bytes() * 17);
}

}  // namespace
}  // namespace carat
