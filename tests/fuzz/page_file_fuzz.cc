// Headers of cached pages: whatever bytes a file has, Parse refuses or returns
// a header that describes the file and encodes to the same bytes. The checksum
// is put right first, or nothing would come past it.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "kv/page_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using carat::PageFileHeader;
  (void)PageFileHeader::Parse({data, size}, size);

  // Groups and blocks stand behind the magic and the version.
  std::vector<uint8_t> bytes(data, data + size);
  uint32_t groups, blocks;
  if (size < 48) return 0;
  std::memcpy(&groups, data + 12, sizeof groups);
  std::memcpy(&blocks, data + 16, sizeof blocks);
  groups = std::min(groups, uint32_t{9});
  blocks = std::min(blocks, uint32_t{33});
  const size_t digest_at = 96 + size_t{8} * groups + size_t{256} * blocks +
                           size_t{9} * groups * blocks;
  bytes.resize(std::max(size, digest_at + 32));
  const carat::Sha256Digest digest =
      carat::Sha256Of({reinterpret_cast<const char*>(bytes.data()), digest_at});
  std::copy(digest.begin(), digest.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(digest_at));
  for (uint64_t file_bytes : {uint64_t{size}, uint64_t{bytes.size()}}) {
    const auto header = PageFileHeader::Parse(bytes, file_bytes);
    if (!header.ok()) continue;
    CARAT_CHECK(header->FileBytes() == file_bytes);
    (void)header->Keys();
    const std::string again = header->Encode();
    CARAT_CHECK(std::memcmp(again.data(), bytes.data(), 12) == 0);
  }
  return 0;
}
