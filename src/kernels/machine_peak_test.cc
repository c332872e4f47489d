#include "kernels/machine_peak.h"

#include <gtest/gtest.h>

#include <vector>

namespace carat {
namespace {

TEST(MachinePeakTest, EveryInstructionSetOfThisMachineHasAPeak) {
  ThreadPool pool(1);
  for (const Isa isa : SupportedIsas()) {
    const MachinePeak peak = MeasureMachine(isa, pool);
    EXPECT_GT(peak.read_bytes, 0) << IsaName(isa);
    if (isa == Isa::kScalar) {
      EXPECT_EQ(peak.int8_ops, 0);
    } else {
      // A loop that the compiler has thrown away would be faster than this.
      EXPECT_GT(peak.int8_ops, 0) << IsaName(isa);
      EXPECT_LT(peak.int8_ops, 2.0 * 1024 * 8e9) << IsaName(isa);
    }
  }
}

TEST(MachinePeakTest, ReadsBytesThatAreNoWholePiece) {
  ThreadPool pool(2);
  EXPECT_EQ(ReadSpeed({}, pool), 0);
  for (const size_t bytes : {1, 4096, (128 << 10) + 1, 1 << 20}) {
    const std::vector<uint8_t> block(bytes, 1);
    EXPECT_GT(ReadSpeed(block, pool), 0) << bytes;
  }
}

}  // namespace
}  // namespace carat
