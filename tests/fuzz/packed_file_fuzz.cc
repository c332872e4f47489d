// Headers of packed weights: whatever bytes a file has, Parse refuses or
// returns a header that describes the file and encodes to the same bytes. The
// checksum is put right first, or nothing would come past it.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "runtime/packed_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using carat::PackedFileHeader;
  (void)PackedFileHeader::Parse({data, size}, size);
  if (size < PackedFileHeader::kBytes) return 0;
  std::vector<uint8_t> bytes(data, data + PackedFileHeader::kBytes);
  constexpr size_t kDigestAt = PackedFileHeader::kBytes - 32;
  const carat::Sha256Digest digest =
      carat::Sha256Of({reinterpret_cast<const char*>(bytes.data()), kDigestAt});
  std::copy(digest.begin(), digest.end(), bytes.begin() + kDigestAt);
  uint64_t weights;
  std::memcpy(&weights, bytes.data() + 16, sizeof weights);
  const uint64_t file_bytes = PackedFileHeader::kWeightsAt + weights;
  const auto header = PackedFileHeader::Parse(bytes, file_bytes);
  if (!header.ok()) return 0;
  CARAT_CHECK(header->FileBytes() == file_bytes);
  CARAT_CHECK(PackedFileHeader::Parse(bytes, file_bytes + 1).ok() == false);
  const std::string encoded = header->Encode();
  const auto again = PackedFileHeader::Parse(
      {reinterpret_cast<const uint8_t*>(encoded.data()), encoded.size()},
      file_bytes);
  CARAT_CHECK(again.ok() && again->model == header->model);
  return 0;
}
