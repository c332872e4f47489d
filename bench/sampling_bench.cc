// Cost of choosing one token out of Gemma's 262,144 on one core. The copy of
// the logits that every iteration needs is measured on its own.
#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "sampling/sampler.h"

namespace carat {
namespace {

constexpr int kVocab = 262144;

// Peaked like a model's: the best few far above a wide bell.
std::vector<float> Logits() {
  CounterRng rng(1);
  std::vector<float> out(kVocab);
  for (int i = 0; i < kVocab; ++i) {
    double bell = 0;
    for (int j = 0; j < 12; ++j) bell += rng.Uniform(12 * i + j);
    out[i] = static_cast<float>(3 * (bell - 6) - 5);
  }
  for (int i = 0; i < 40; ++i) {
    out[(i * 6553) % kVocab] = static_cast<float>(14 - 0.3 * i);
  }
  return out;
}

void Run(benchmark::State& state, const SamplingParams& params,
         TokenMask mask = {}) {
  const std::vector<float> source = Logits();
  std::vector<float> logits = source;
  auto sampler = Sampler::Create(params, kVocab);
  for (auto _ : state) {
    logits = source;
    auto token = sampler->Sample(logits, mask);
    sampler->Accept(token->id);
    benchmark::DoNotOptimize(token->id);
  }
}

SamplingParams Seeded() {
  SamplingParams params;
  params.seed = 1;
  return params;
}

void BM_CopyOnly(benchmark::State& state) {
  const std::vector<float> source = Logits();
  std::vector<float> logits = source;
  for (auto _ : state) {
    logits = source;
    benchmark::DoNotOptimize(logits.data());
  }
}
BENCHMARK(BM_CopyOnly)->Unit(benchmark::kMicrosecond);

void BM_Greedy(benchmark::State& state) {
  SamplingParams params = Seeded();
  params.temperature = 0;
  Run(state, params);
}
BENCHMARK(BM_Greedy)->Unit(benchmark::kMicrosecond);

void BM_Defaults(benchmark::State& state) { Run(state, Seeded()); }
BENCHMARK(BM_Defaults)->Unit(benchmark::kMicrosecond);

void BM_DefaultsMasked(benchmark::State& state) {
  std::vector<uint64_t> mask(kVocab / 64, 0x5555555555555555ULL);
  Run(state, Seeded(), mask);
}
BENCHMARK(BM_DefaultsMasked)->Unit(benchmark::kMicrosecond);

void BM_DefaultsWithLogprobs(benchmark::State& state) {
  SamplingParams params = Seeded();
  params.logprobs = 5;
  Run(state, params);
}
BENCHMARK(BM_DefaultsWithLogprobs)->Unit(benchmark::kMicrosecond);

void BM_TopPOnly(benchmark::State& state) {
  SamplingParams params = Seeded();
  params.top_k = 0;
  Run(state, params);
}
BENCHMARK(BM_TopPOnly)->Unit(benchmark::kMicrosecond);

void BM_TemperatureOnly(benchmark::State& state) {
  SamplingParams params = Seeded();
  params.top_k = 0;
  params.top_p = 1;
  Run(state, params);
}
BENCHMARK(BM_TemperatureOnly)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace carat
