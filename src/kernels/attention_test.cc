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
  for (KvType type : {KvType::kF32, KvType::kF16}) {
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

TEST(AttentionTest, BatchThreadsAndInstructionSetDoNotChangeBits) {
  Cache cache(KvType::kF16, 1, 64, 1500);
  std::vector<std::pair<int64_t, int64_t>> spans;
  for (int64_t p = 900; p < 1010; ++p) spans.push_back({p - 400, p + 1});
  for (int64_t p = 1390; p < 1500; ++p) spans.push_back({0, p + 1});
  Problem batch(cache, 4, spans);
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
      for (size_t r = 0; r < spans.size(); r += 37) {
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

}  // namespace
}  // namespace carat
