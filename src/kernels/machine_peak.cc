#include "kernels/machine_peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "base/memory_info.h"
#include "kernels/matmul_inline.h"
#include "kernels/target.h"
#include "tensor/aligned_buffer.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace carat {
namespace {

using Clock = std::chrono::steady_clock;

// A loop of `rounds` times kSums instructions that depend on nothing but their
// own sums. Returns something of them, so that they are computed.
using DotLoop = int64_t (*)(int64_t rounds);
constexpr int kSums = 12;  // hides the latency, fits 16 registers

struct Dot {
  DotLoop loop = nullptr;
  int multiply_adds = 0;  // of one instruction
  const char* name = "none";
};

#if defined(__x86_64__)

// Keeps the compiler from knowing that a register does not change.
#define CARAT_RENEW(x) asm volatile("" : "+x"(x))

CARAT_TARGET_AVX2_BEGIN
int64_t LoopAvx2(int64_t rounds) {
  __m256i sums[kSums], a = _mm256_set1_epi8(1), b = _mm256_set1_epi8(2);
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t r = 0; r < rounds; ++r) {
    CARAT_UNROLL
    for (int i = 0; i < kSums; ++i) {
      CARAT_RENEW(a);
      sums[i] = _mm256_add_epi16(sums[i], _mm256_maddubs_epi16(a, b));
    }
  }
  for (const __m256i& sum : sums) a = _mm256_xor_si256(a, sum);
  return _mm256_extract_epi64(a, 0);
}
CARAT_TARGET_END

CARAT_TARGET_AVXVNNI_BEGIN
int64_t LoopAvxVnni(int64_t rounds) {
  __m256i sums[kSums], a = _mm256_set1_epi8(1), b = _mm256_set1_epi8(2);
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t r = 0; r < rounds; ++r) {
    CARAT_UNROLL
    for (int i = 0; i < kSums; ++i) {
      sums[i] = _mm256_dpbusd_avx_epi32(sums[i], a, b);
    }
    CARAT_RENEW(a);
  }
  for (const __m256i& sum : sums) a = _mm256_xor_si256(a, sum);
  return _mm256_extract_epi64(a, 0);
}
CARAT_TARGET_END

CARAT_TARGET_AVX512_BEGIN
int64_t LoopAvx512(int64_t rounds) {
  __m512i sums[kSums], a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (int64_t r = 0; r < rounds; ++r) {
    CARAT_UNROLL
    for (int i = 0; i < kSums; ++i) {
      sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
    }
    asm volatile("" : "+v"(a));
  }
  for (const __m512i& sum : sums) a ^= sum;
  int64_t words[8];
  std::memcpy(words, &a, sizeof words);
  return words[0];
}
CARAT_TARGET_END

Dot DotOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx2:
      return {LoopAvx2, 32, "vpmaddubsw + vpaddw"};
    case Isa::kAvxVnni:
      return {LoopAvxVnni, 32, "vpdpbusd, 256 bits"};
    case Isa::kAvx512:
      return {LoopAvx512, 64, "vpdpbusd, 512 bits"};
    default:
      return {};
  }
}

#elif defined(__aarch64__)

CARAT_TARGET_NEON_BEGIN
int64_t LoopNeon(int64_t rounds) {
  int32x4_t sums[kSums];
  int8x16_t a = vdupq_n_s8(1), b = vdupq_n_s8(2);
  for (int32x4_t& sum : sums) sum = vdupq_n_s32(0);
  for (int64_t r = 0; r < rounds; ++r) {
    CARAT_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = vdotq_s32(sums[i], a, b);
    asm volatile("" : "+w"(a));
  }
  for (const int32x4_t& sum : sums) sums[0] = veorq_s32(sums[0], sum);
  return vgetq_lane_s32(sums[0], 0);
}
CARAT_TARGET_END

CARAT_TARGET_I8MM_BEGIN
int64_t LoopI8mm(int64_t rounds) {
  int32x4_t sums[kSums];
  int8x16_t a = vdupq_n_s8(1), b = vdupq_n_s8(2);
  for (int32x4_t& sum : sums) sum = vdupq_n_s32(0);
  for (int64_t r = 0; r < rounds; ++r) {
    CARAT_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = vmmlaq_s32(sums[i], a, b);
    asm volatile("" : "+w"(a));
  }
  for (const int32x4_t& sum : sums) sums[0] = veorq_s32(sums[0], sum);
  return vgetq_lane_s32(sums[0], 0);
}
CARAT_TARGET_END

Dot DotOf(Isa isa) {
  switch (isa) {
    case Isa::kNeon:
      return {LoopNeon, 16, "sdot"};
    case Isa::kI8mm:
      return {LoopI8mm, 32, "smmla"};
    default:
      return {};
  }
}

#else

Dot DotOf(Isa) { return {}; }

#endif

// Most of `work` a second over several runs on all threads at once.
template <typename Body>
double BestRate(ThreadPool& pool, size_t tasks, double work, Body&& body) {
  constexpr int kRuns = 7;
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = Clock::now();
    pool.ParallelFor(tasks, body);
    const double seconds =
        std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::max(best, work / std::max(seconds, 1e-9));
  }
  return best;
}

// The sum of a block's 64-bit words, asked for ahead as the kernels do.
uint64_t SumOf(const uint8_t* data, size_t bytes) {
  using Words = uint64_t __attribute__((vector_size(16)));
  constexpr size_t kStep = 8 * sizeof(Words);
  constexpr size_t kAhead = 3072;
  Words sums[8] = {};
  for (size_t at = 0; at + kStep <= bytes; at += kStep) {
    __builtin_prefetch(data + at + kAhead);
    __builtin_prefetch(data + at + kAhead + kStep / 2);
    CARAT_UNROLL
    for (size_t i = 0; i < 8; ++i) {
      Words words;
      std::memcpy(&words, data + at + i * sizeof words, sizeof words);
      sums[i] += words;
    }
  }
  uint64_t sum = 0;
  for (const Words& words : sums) sum += words[0] + words[1];
  return sum;
}

double ReadRate(ThreadPool& pool, std::atomic<uint64_t>& sink) {
  constexpr size_t kPiece = size_t{2} << 20;
  constexpr size_t kMost = size_t{256} << 20;
  const size_t bytes =
      std::min<size_t>(kMost, ReadMemoryInfo().available / 4) / kPiece * kPiece;
  AlignedBuffer buffer(bytes);
  if (buffer.bytes() == 0) return 0;
  const size_t pieces = bytes / kPiece;
  pool.ParallelFor(pieces, [&](size_t i, int) {
    std::memset(buffer.data() + i * kPiece, 1, kPiece);
  });
  return BestRate(pool, pieces, static_cast<double>(bytes), [&](size_t i, int) {
    sink.fetch_add(SumOf(buffer.data() + i * kPiece, kPiece),
                   std::memory_order_relaxed);
  });
}

}  // namespace

double ReadSpeed(std::span<const uint8_t> bytes, ThreadPool& pool) {
  if (bytes.empty()) return 0;
  constexpr size_t kPiece = size_t{128} << 10;
  std::atomic<uint64_t> sink{0};
  const auto begin = Clock::now();
  pool.ParallelFor((bytes.size() + kPiece - 1) / kPiece, [&](size_t i, int) {
    const auto piece = bytes.subspan(i * kPiece);
    sink.fetch_add(SumOf(piece.data(), std::min(piece.size(), kPiece)),
                   std::memory_order_relaxed);
  });
  const double seconds =
      std::chrono::duration<double>(Clock::now() - begin).count();
  return static_cast<double>(bytes.size()) / std::max(seconds, 1e-9);
}

MachinePeak MeasureMachine(Isa isa, ThreadPool& pool) {
  MachinePeak peak;
  std::atomic<uint64_t> sink{0};
  if (const Dot dot = DotOf(isa); dot.loop != nullptr) {
    constexpr int64_t kRounds = 200'000;
    // Small tasks, so that a thread the system holds up does not count.
    const size_t tasks = static_cast<size_t>(pool.threads()) * 16;
    const double work =
        2.0 * static_cast<double>(tasks) * kRounds * kSums * dot.multiply_adds;
    peak.int8_instruction = dot.name;
    peak.int8_ops = BestRate(pool, tasks, work, [&](size_t, int) {
      sink.fetch_add(static_cast<uint64_t>(dot.loop(kRounds)),
                     std::memory_order_relaxed);
    });
  }
  peak.read_bytes = ReadRate(pool, sink);
  return peak;
}

}  // namespace carat
