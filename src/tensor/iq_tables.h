// Private to tensor/: the codebooks of the IQ types. They are part of the
// format: an index in the file names a tuple of magnitudes here. Written by
// tools/reference/make_iq_tables.py.
#ifndef CARAT_TENSOR_IQ_TABLES_H_
#define CARAT_TENSOR_IQ_TABLES_H_

#include <cstdint>

namespace carat::internal {

// Eight 2-bit digits per entry, first element in the lowest bits.
extern const uint16_t kIq1Grid[2048];    // IQ1_S, IQ1_M: digit - 1
extern const uint16_t kIq2XxsGrid[256];  // digits of kIq2Magnitudes
extern const uint16_t kIq2XsGrid[512];
extern const uint16_t kIq2SGrid[1024];
// Four 3-bit digits per entry.
extern const uint16_t kIq3XxsGrid[256];  // digits of kIq3XxsMagnitudes
extern const uint16_t kIq3SGrid[512];    // 2 * digit + 1

inline constexpr uint8_t kIq2Magnitudes[4] = {0x08, 0x19, 0x2B, 0};
inline constexpr uint8_t kIq3XxsMagnitudes[8] = {0x04, 0x0C, 0x14, 0x1C,
                                                 0x24, 0x2C, 0x34, 0x3E};

}  // namespace carat::internal

#endif  // CARAT_TENSOR_IQ_TABLES_H_
