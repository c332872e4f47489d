#include "kernels/machine_peak.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace carat
