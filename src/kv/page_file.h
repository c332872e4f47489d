// The file format of cached pages: a run of consecutive pages of one prompt,
// with the tokens they stand for. Files may be damaged, truncated or written by
// somebody else: Parse trusts nothing, every page has a checksum.
//
//   magic, version, sizes         48 bytes
//   model key                     32
//   parent key                    16   what stands before the first page
//   page bytes                    8 a group
//   tokens                        4 a position
//   present                       1 a block and group
//   checksums of pages            8 a block and group
//   SHA-256 of all above          32
//   zeros up to a multiple of 4096, then the pages that are present, block by
//   block, group by group
//
// Integers are little-endian.
#ifndef CARAT_KV_PAGE_FILE_H_
#define CARAT_KV_PAGE_FILE_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "kernels/attention.h"
#include "tokenizer/tokenizer.h"

namespace carat {

// Names a prompt up to the end of a page: a hash of all tokens so far.
using PrefixKey = std::array<uint8_t, 16>;
// The key after one more page of kKvTile tokens. The empty prompt's is zero.
PrefixKey NextKey(const PrefixKey& before, std::span<const TokenId> block);

// Finds every changed bit of a page, quickly; no protection against intent.
uint64_t PageChecksum(const uint8_t* data, size_t bytes);

struct PageFileHeader {
  static constexpr uint32_t kVersion = 1;  // of the format and of KV's meaning
  static constexpr int64_t kMaxBlocks = 32;
  static constexpr int64_t kMaxGroups = 8;

  Sha256Digest model{};
  PrefixKey parent{};
  int64_t first_block = 0;
  std::vector<uint64_t> page_bytes;  // [group]
  std::vector<TokenId> tokens;       // [blocks * kKvTile]
  std::vector<uint8_t> present;      // [block * groups + group]
  std::vector<uint64_t> checksums;   // the same

  int64_t groups() const { return static_cast<int64_t>(page_bytes.size()); }
  int64_t blocks() const {
    return static_cast<int64_t>(tokens.size()) / kKvTile;
  }
  size_t Index(int64_t block, int64_t group) const {
    return static_cast<size_t>(block * groups() + group);
  }
  // Where a page that is present begins in the file.
  uint64_t OffsetOf(int64_t block, int64_t group) const;
  uint64_t FileBytes() const { return OffsetOf(blocks(), 0); }
  // The keys after each block.
  std::vector<PrefixKey> Keys() const;

  // Up to where the pages begin.
  std::string Encode() const;
  // Most bytes of a header with its zeros.
  static constexpr size_t kMaxBytes = 65536;
  // `bytes`: the file's first kMaxBytes, or all of it. Errors: kMalformed.
  static Result<PageFileHeader> Parse(std::span<const uint8_t> bytes,
                                      uint64_t file_bytes);

 private:
  size_t EncodedBytes() const;
};

}  // namespace carat

#endif  // CARAT_KV_PAGE_FILE_H_
