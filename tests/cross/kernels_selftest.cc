// Compares the matrix kernels of every instruction set that can run here with
// the scalar reference, bit for bit. Needs no test framework, so that it can be
// built by any compiler for any machine; prints "N passed, N failed".
//
// From the project's root, for this machine:
//   F="-std=c++20 -O2 -ffp-contract=off -fno-strict-aliasing -Isrc"
//   F="$F -DFMT_HEADER_ONLY -pthread"
//   S="tests/cross/kernels_selftest.cc src/base/status.cc"
//   S="$S src/base/thread_pool.cc src/tensor/a*.cc src/tensor/half.cc"
//   S="$S src/tensor/iq_tables.cc src/tensor/iq_codes.cc src/tensor/dtype.cc"
//   S="$S src/tensor/dequantize.cc src/tensor/dequantize_[iks]*.cc"
//   S="$S src/kernels/cpu.cc $(ls src/kernels/{pack,matmul,vector}*.cc |
//      grep -v _test)"
//   g++ $F $S -o selftest && ./selftest
// AVX-VNNI and AVX-512 through libsimde-dev's emulation, on any AVX2 machine:
//   g++ $F -O1 -march=haswell -DCARAT_SIMDE -Itests/cross $S -o selftest
// 64-bit Arm under qemu (mkdir arm; ln -s /usr/include/fmt arm/fmt):
//   aarch64-linux-gnu-g++ $F -Iarm -static $S -o selftest
//   qemu-aarch64 -cpu max ./selftest
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "kernels/cpu.h"
#include "kernels/matmul.h"
#include "kernels/matmul_test_data.h"

namespace carat {
namespace {

int passed = 0, failed = 0;

void Check(bool ok, Isa isa, DType type, int64_t rows, int64_t cols,
           int64_t count) {
  (ok ? passed : failed) += 1;
  if (ok) return;
  std::printf("%s %s %lld x %lld times %lld differs\n", IsaName(isa),
              DTypeName(type), static_cast<long long>(rows),
              static_cast<long long>(cols), static_cast<long long>(count));
}

std::vector<Isa> IsasToTest() {
  std::vector<Isa> isas = SupportedIsas();
#if defined(CARAT_SIMDE)
  for (Isa isa : {Isa::kAvxVnni, Isa::kAvx512}) {
    if (std::find(isas.begin(), isas.end(), isa) == isas.end()) {
      isas.push_back(isa);
    }
  }
#endif
  return isas;
}

void TestShape(DType type, int64_t rows, int64_t cols, int64_t count,
               bool extreme) {
  ThreadPool pool(2);
  std::vector<uint8_t> bytes = testing::RandomWeights(type, rows, cols, 1);
  Result<PackedMatrix> w = PackMatrix(type, rows, cols, bytes.data(), pool);
  if (!w.ok()) {
    std::printf("%s\n", w.status().message().c_str());
    ++failed;
    return;
  }
  Activations x;
  if (extreme) {
    testing::ExtremeActivations(count, cols, x);
  } else {
    testing::RandomActivations(count, cols, 2, x);
  }
  x.Quantize(pool);
  const MatMulRows in = {.x = &x, .count = count};
  const int64_t stride = rows + 1;
  const size_t size = static_cast<size_t>(count * stride);
  std::vector<float> expected(size, 7.0f);
  MatMulWith(Isa::kScalar, *w, in, expected.data(), stride, pool);
  for (Isa isa : IsasToTest()) {
    std::vector<float> y(size, 7.0f);
    x.QuantizeWith(isa, pool);
    MatMulWith(isa, *w, in, y.data(), stride, pool);
    Check(std::memcmp(y.data(), expected.data(), size * sizeof(float)) == 0,
          isa, type, rows, cols, count);
  }
}

void TestType(DType type) {
  const int64_t block = static_cast<int64_t>(GetDTypeInfo(type).block);
  const int64_t short_cols = block == 1 ? 37 : block;
  const int64_t long_cols = block == 1 ? 523 : block == 32 ? 544 : 768;
  for (int64_t rows : {1, 16, 39}) {
    for (int64_t count : {1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 40}) {
      TestShape(type, rows, short_cols, count, false);
    }
  }
  for (int64_t count : {1, 4, 6, 16}) {
    TestShape(type, 50, long_cols, count, false);
    TestShape(type, 50, long_cols, count, true);
  }
}

}  // namespace
}  // namespace carat

int main() {
  using carat::DType;
  for (DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1,
        DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,
        DType::kQ4_K, DType::kIQ1_M, DType::kIQ2_XS, DType::kIQ3_XXS,
        DType::kMXFP4, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
        DType::kIQ4_XS}) {
    carat::TestType(type);
  }
  for (carat::Isa isa : carat::IsasToTest()) {
    std::printf("%s ", carat::IsaName(isa));
  }
  std::printf("\n%d passed, %d failed\n", carat::passed, carat::failed);
  return carat::failed == 0 ? 0 : 1;
}
