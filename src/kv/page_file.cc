#include "kv/page_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace carat {
namespace {

static_assert(std::endian::native == std::endian::little,
              "files are written as memory holds them");

constexpr char kMagic[8] = {'C', 'A', 'R', 'A', 'T', 'K', 'V', '\n'};
constexpr size_t kAlignment = 4096;
constexpr uint64_t kMaxPageBytes = uint64_t{1} << 30;

struct Sizes {
  char magic[8];
  uint32_t version, groups, blocks, tile;
  int64_t first_block;
  uint8_t reserved[16];
};
static_assert(sizeof(Sizes) == 48);

size_t HeaderBytes(size_t groups, size_t blocks) {
  return sizeof(Sizes) + sizeof(Sha256Digest) + sizeof(PrefixKey) +
         groups * sizeof(uint64_t) +
         blocks * static_cast<size_t>(kKvTile) * sizeof(TokenId) +
         blocks * groups * (1 + sizeof(uint64_t)) + sizeof(Sha256Digest);
}
static_assert(sizeof(TokenId) == 4);

void Put(std::string& out, const void* data, size_t bytes) {
  out.append(static_cast<const char*>(data), bytes);
}

template <typename T>
void PutAll(std::string& out, const std::vector<T>& values) {
  Put(out, values.data(), values.size() * sizeof(T));
}

// Takes values off the front of bytes whose number was checked before.
class Reader {
 public:
  explicit Reader(const uint8_t* at) : at_(at) {}
  void Get(void* data, size_t bytes) {
    std::memcpy(data, at_, bytes);
    at_ += bytes;
  }
  template <typename T>
  void GetAll(std::vector<T>& values, size_t count) {
    values.resize(count);
    Get(values.data(), count * sizeof(T));
  }

 private:
  const uint8_t* at_;
};

std::string_view AsText(const void* data, size_t bytes) {
  return {static_cast<const char*>(data), bytes};
}

}  // namespace

PrefixKey NextKey(const PrefixKey& before, std::span<const TokenId> block) {
  Sha256 hash;
  hash.Update(before.data(), before.size());
  hash.Update(block.data(), block.size_bytes());
  const Sha256Digest digest = hash.Finish();
  PrefixKey key;
  std::copy_n(digest.begin(), key.size(), key.begin());
  return key;
}

uint64_t PageChecksum(const uint8_t* data, size_t bytes) {
  // Eight lanes; a step is a bijection of the lane and of the word, so no
  // change of a single word goes unseen.
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15u;
  uint64_t lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  size_t at = 0;
  for (; at + sizeof lanes <= bytes; at += sizeof lanes) {
    uint64_t words[8];
    std::memcpy(words, data + at, sizeof words);
    for (int i = 0; i < 8; ++i) {
      lanes[i] = std::rotl((lanes[i] ^ words[i]) * kFactor, 29);
    }
  }
  uint64_t sum = bytes;
  for (; at < bytes; ++at) sum = std::rotl((sum ^ data[at]) * kFactor, 29);
  for (const uint64_t lane : lanes) {
    sum = std::rotl((sum ^ lane) * kFactor, 29);
  }
  return sum;
}

size_t PageFileHeader::EncodedBytes() const {
  return HeaderBytes(page_bytes.size(), static_cast<size_t>(blocks()));
}

uint64_t PageFileHeader::OffsetOf(int64_t block, int64_t group) const {
  uint64_t offset = (EncodedBytes() + kAlignment - 1) / kAlignment * kAlignment;
  const size_t before = Index(block, group);
  for (size_t i = 0; i < before; ++i) {
    if (present[i] != 0) offset += page_bytes[i % page_bytes.size()];
  }
  return offset;
}

std::vector<PrefixKey> PageFileHeader::Keys() const {
  std::vector<PrefixKey> keys;
  PrefixKey key = parent;
  for (int64_t b = 0; b < blocks(); ++b) {
    key = NextKey(key, std::span(tokens).subspan(
                           static_cast<size_t>(b * kKvTile), kKvTile));
    keys.push_back(key);
  }
  return keys;
}

std::string PageFileHeader::Encode() const {
  Sizes sizes = {};
  std::memcpy(sizes.magic, kMagic, sizeof kMagic);
  sizes.version = kVersion;
  sizes.groups = static_cast<uint32_t>(groups());
  sizes.blocks = static_cast<uint32_t>(blocks());
  sizes.tile = static_cast<uint32_t>(kKvTile);
  sizes.first_block = first_block;
  std::string out;
  Put(out, &sizes, sizeof sizes);
  Put(out, model.data(), model.size());
  Put(out, parent.data(), parent.size());
  PutAll(out, page_bytes);
  PutAll(out, tokens);
  PutAll(out, present);
  PutAll(out, checksums);
  const Sha256Digest digest = Sha256Of(out);
  Put(out, digest.data(), digest.size());
  out.resize(OffsetOf(0, 0), '\0');
  return out;
}

Result<PageFileHeader> PageFileHeader::Parse(std::span<const uint8_t> bytes,
                                             uint64_t file_bytes) {
  Sizes sizes;
  if (bytes.size() < sizeof sizes) {
    return Malformed(fmt::format(
        "{} bytes are too few for a file of cached pages", bytes.size()));
  }
  Reader reader(bytes.data());
  reader.Get(&sizes, sizeof sizes);
  if (std::memcmp(sizes.magic, kMagic, sizeof kMagic) != 0) {
    return Malformed("this is no file of cached pages");
  }
  if (sizes.version != kVersion || sizes.tile != kKvTile) {
    return Malformed(
        fmt::format("cached pages of version {} with {} positions; this "
                    "program reads version {} with {}",
                    sizes.version, sizes.tile, kVersion, kKvTile));
  }
  if (sizes.groups < 1 || sizes.groups > kMaxGroups || sizes.blocks < 1 ||
      sizes.blocks > kMaxBlocks || sizes.first_block < 0 ||
      sizes.first_block > (int64_t{1} << 40)) {
    return Malformed(
        fmt::format("{} blocks of {} groups from {} on are out of range",
                    sizes.blocks, sizes.groups, sizes.first_block));
  }
  const size_t header = HeaderBytes(sizes.groups, sizes.blocks);
  if (bytes.size() < header) {
    return Malformed(fmt::format("the header has {} bytes, the file {}", header,
                                 bytes.size()));
  }
  const size_t digest_at = header - sizeof(Sha256Digest);
  Sha256Digest digest;
  std::memcpy(digest.data(), bytes.data() + digest_at, digest.size());
  if (digest != Sha256Of(AsText(bytes.data(), digest_at))) {
    return Malformed("the header's checksum is wrong");
  }
  PageFileHeader out;
  reader.Get(out.model.data(), out.model.size());
  reader.Get(out.parent.data(), out.parent.size());
  out.first_block = sizes.first_block;
  const size_t pages = size_t{sizes.blocks} * sizes.groups;
  reader.GetAll(out.page_bytes, sizes.groups);
  reader.GetAll(out.tokens, sizes.blocks * static_cast<size_t>(kKvTile));
  reader.GetAll(out.present, pages);
  reader.GetAll(out.checksums, pages);
  for (const uint64_t page : out.page_bytes) {
    if (page < 1 || page > kMaxPageBytes) {
      return Malformed(fmt::format("a page of {} bytes is out of range", page));
    }
  }
  if (out.FileBytes() != file_bytes) {
    return Malformed(fmt::format("the file has {} bytes instead of {}",
                                 file_bytes, out.FileBytes()));
  }
  return out;
}

}  // namespace carat
