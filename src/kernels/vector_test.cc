#include "kernels/vector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tensor/dequantize.h"

namespace carat {
namespace {

std::vector<float> Noise(int64_t n, float sigma, uint32_t seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0.0f, sigma);
  std::vector<float> out(n);
  for (float& x : out) x = normal(rng);
  return out;
}

TEST(VectorTest, ExpIsWithinThreeParts1e7AndExactlyZeroFarBelow) {
  for (double x = -87.0; x < 88.0; x += 0.00371) {
    const float at = static_cast<float>(x);
    const double truth = std::exp(static_cast<double>(at));
    EXPECT_NEAR(Exp(at) / truth, 1.0, 3e-7) << at;
  }
  EXPECT_EQ(Exp(0.0f), 1.0f);
  EXPECT_EQ(Exp(-88.0f), 0.0f);
  EXPECT_EQ(Exp(-INFINITY), 0.0f);
  EXPECT_TRUE(std::isfinite(Exp(1000.0f)));
}

TEST(VectorTest, GatedGeluFollowsTheTanhFormula) {
  std::vector<float> gate, up;
  for (float x = -12.0f; x < 12.0f; x += 0.013f) {
    gate.push_back(x);
    up.push_back(1.5f);
  }
  std::vector<float> out(gate.size());
  GatedGelu(gate.data(), up.data(), gate.size(), out.data());
  for (size_t i = 0; i < gate.size(); ++i) {
    const double x = gate[i];
    const double u = std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x);
    const double truth = 0.5 * x * (1.0 + std::tanh(u)) * 1.5;
    EXPECT_NEAR(out[i], truth, 1e-6 * std::max(1.0, std::fabs(x))) << x;
  }
}

TEST(VectorTest, SoftcapFollowsTanh) {
  std::vector<float> x;
  for (float v = -300.0f; v < 300.0f; v += 0.37f) x.push_back(v);
  std::vector<float> y = x;
  Vector().softcap(30.0f, y.size(), y.data());
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(y[i], 30.0 * std::tanh(x[i] / 30.0), 4e-6) << x[i];
  }
}

TEST(VectorTest, RmsNormMatchesDoubleArithmetic) {
  for (int n : {1, 15, 16, 17, 256, 640}) {
    const auto x = Noise(n, 3.0f, n), w = Noise(n, 1.0f, n + 1);
    std::vector<float> out(n);
    Vector().rms_norm(x.data(), w.data(), n, 1e-6f, out.data());
    double sum = 0;
    for (float v : x) sum += double{v} * v;
    const double scale = 1.0 / std::sqrt(sum / n + 1e-6);
    for (int i = 0; i < n; ++i) {
      EXPECT_NEAR(out[i], x[i] * scale * w[i], 2e-6 * std::fabs(w[i]) * 5);
    }
  }
}

TEST(VectorTest, SoftmaxSumsToOneAndSurvivesLargeInputs) {
  std::vector<float> y = {1000.0f, 999.0f, -1000.0f, 998.5f, 0.0f};
  Vector().softmax(y.size(), y.data());
  EXPECT_NEAR(y[0] + y[1] + y[2] + y[3] + y[4], 1.0f, 1e-6f);
  EXPECT_NEAR(y[1] / y[0], std::exp(-1.0), 1e-6);
  EXPECT_EQ(y[2], 0.0f);
}

TEST(VectorTest, CosSinIsCorrectlyRoundedNearly) {
  for (double x = 0; x < 140000.0; x = x * 1.0007 + 0.0101) {
    float c, s;
    CosSin(static_cast<float>(x), &c, &s);
    const double a = static_cast<float>(x);
    EXPECT_EQ(c, static_cast<float>(std::cos(a))) << x;
    EXPECT_EQ(s, static_cast<float>(std::sin(a))) << x;
  }
}

TEST(VectorTest, EveryInstructionSetGivesTheScalarBits) {
  const VectorOps& truth = VectorFor(Isa::kScalar);
  for (Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    const VectorOps& ops = VectorFor(isa);
    for (int n : {1, 7, 16, 31, 128, 257, 640}) {
      const auto x = Noise(n, 4.0f, n), w = Noise(n, 1.0f, n + 9);
      std::vector<float> a(n), b(n);
      const auto same = [&](const char* what) {
        EXPECT_EQ(std::memcmp(a.data(), b.data(), n * sizeof(float)), 0)
            << what << " n=" << n;
      };
      truth.rms_norm(x.data(), w.data(), n, 1e-6f, a.data());
      ops.rms_norm(x.data(), w.data(), n, 1e-6f, b.data());
      same("rms_norm");
      truth.gated_gelu(x.data(), w.data(), n, a.data());
      ops.gated_gelu(x.data(), w.data(), n, b.data());
      same("gated_gelu");
      a = b = w;
      truth.add_scaled(x.data(), 0.37f, n, a.data());
      ops.add_scaled(x.data(), 0.37f, n, b.data());
      same("add_scaled");
      truth.add_then_scale(x.data(), 0.7071f, n, a.data());
      ops.add_then_scale(x.data(), 0.7071f, n, b.data());
      same("add_then_scale");
      truth.softcap(2.0f, n, a.data());
      ops.softcap(2.0f, n, b.data());
      same("softcap");
      a = b = x;
      truth.softmax(n, a.data());
      ops.softmax(n, b.data());
      same("softmax");
      std::vector<uint16_t> ha(n), hb(n);
      truth.to_half(x.data(), n, ha.data());
      ops.to_half(x.data(), n, hb.data());
      EXPECT_EQ(ha, hb);
      for (float v : x) EXPECT_EQ(truth.exp(v), ops.exp(v));
    }
    for (int half : {8, 16, 64, 128}) {
      const auto c = Noise(half, 1.0f, 3), s = Noise(half, 1.0f, 4);
      auto a = Noise(2 * half, 1.0f, 5);
      auto b = a;
      truth.rope(c.data(), s.data(), half, a.data());
      ops.rope(c.data(), s.data(), half, b.data());
      EXPECT_EQ(a, b);
    }
  }
}

}  // namespace
}  // namespace carat
