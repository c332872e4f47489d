// The file format of packed weights: the bytes of a model's WeightMemory as
// they are, behind a header that says whose they are. Files may be damaged, cut
// off or written by somebody else: Parse trusts nothing, and the weights have a
// checksum.
//
//   magic                                8 bytes
//   format version, layout version       4 each
//   bytes of weights, their checksum     8 each
//   key                                 32   PackedWeightsKey
//   name of the model, for people      256   UTF-8, padded with zeros
//   SHA-256 of all above                32
//   zeros up to kWeightsAt, then the weights
//
// Integers are little-endian. The weights begin at a huge page's boundary, so
// that a mapping can be in huge pages.
#ifndef CARAT_RUNTIME_PACKED_FILE_H_
#define CARAT_RUNTIME_PACKED_FILE_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/hash.h"
#include "base/status.h"
#include "base/thread_pool.h"

namespace carat {

struct PackedFileHeader {
  static constexpr uint32_t kVersion = 1;  // of the format
  static constexpr uint64_t kWeightsAt = uint64_t{2} << 20;
  static constexpr size_t kBytes = 352;  // encoded, without the zeros

  uint32_t layout_version = 0;
  uint64_t weights_bytes = 0;
  uint64_t checksum = 0;
  Sha256Digest key{};
  std::string model;  // cut to what fits

  uint64_t FileBytes() const { return kWeightsAt + weights_bytes; }
  std::string Encode() const;
  // `bytes`: at least kBytes from the file's front. Errors: kMalformed.
  static Result<PackedFileHeader> Parse(std::span<const uint8_t> bytes,
                                        uint64_t file_bytes);
};

// Finds every changed bit of weights; reads them with all threads. `go_on` is
// asked every few MiB, on any of them: false makes the result meaningless.
uint64_t WeightsChecksum(std::span<const uint8_t> weights, ThreadPool& pool,
                         const std::function<bool()>& go_on = {});

}  // namespace carat

#endif  // CARAT_RUNTIME_PACKED_FILE_H_
