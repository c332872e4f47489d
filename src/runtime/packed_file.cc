#include "runtime/packed_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "base/utf8.h"
#include "kernels/matmul.h"
#include "kv/page_file.h"

namespace carat {
namespace {

static_assert(std::endian::native == std::endian::little,
              "files are written as memory holds them");

constexpr char kMagic[8] = {'C', 'A', 'R', 'A', 'T', 'P', 'W', '\n'};
constexpr size_t kNameBytes = 256;
constexpr size_t kChecksumPiece = size_t{4} << 20;

struct Encoded {
  char magic[8];
  uint32_t version, layout_version;
  uint64_t weights_bytes, checksum;
  uint8_t key[32];
  char model[kNameBytes];
  uint8_t digest[32];
};
static_assert(sizeof(Encoded) == PackedFileHeader::kBytes);

Sha256Digest DigestOf(const Encoded& header) {
  return Sha256Of(
      {reinterpret_cast<const char*>(&header), offsetof(Encoded, digest)});
}

}  // namespace

std::string PackedFileHeader::Encode() const {
  Encoded out = {};
  std::memcpy(out.magic, kMagic, sizeof kMagic);
  out.version = kVersion;
  out.layout_version = layout_version;
  out.weights_bytes = weights_bytes;
  out.checksum = checksum;
  std::copy(key.begin(), key.end(), out.key);
  size_t name = std::min(model.size(), kNameBytes - 1);
  // Not in the middle of a character.
  while (name > 0 && name < model.size() && (model[name] & 0xC0) == 0x80) {
    --name;
  }
  std::memcpy(out.model, model.data(), name);
  const Sha256Digest digest = DigestOf(out);
  std::copy(digest.begin(), digest.end(), out.digest);
  return std::string(reinterpret_cast<const char*>(&out), sizeof out);
}

Result<PackedFileHeader> PackedFileHeader::Parse(std::span<const uint8_t> bytes,
                                                 uint64_t file_bytes) {
  Encoded in;
  if (bytes.size() < sizeof in) {
    return Malformed(fmt::format(
        "{} bytes are too few for a file of packed weights", bytes.size()));
  }
  std::memcpy(&in, bytes.data(), sizeof in);
  if (std::memcmp(in.magic, kMagic, sizeof kMagic) != 0) {
    return Malformed("it is no file of packed weights");
  }
  if (in.version != kVersion || in.layout_version != kPackedLayoutVersion) {
    return Malformed(fmt::format(
        "it has format {} with layout {}; this program reads {} with {}",
        in.version, in.layout_version, kVersion, kPackedLayoutVersion));
  }
  const Sha256Digest digest = DigestOf(in);
  if (!std::equal(digest.begin(), digest.end(), in.digest)) {
    return Malformed("the header's checksum is wrong");
  }
  PackedFileHeader out;
  out.layout_version = in.layout_version;
  out.weights_bytes = in.weights_bytes;
  out.checksum = in.checksum;
  std::copy(std::begin(in.key), std::end(in.key), out.key.begin());
  const size_t name = strnlen(in.model, kNameBytes);
  out.model.assign(in.model, name);
  if (name == kNameBytes || !IsValidUtf8(out.model)) {
    return Malformed("the model's name is no text");
  }
  if (out.weights_bytes > (uint64_t{1} << 50) ||
      out.FileBytes() != file_bytes) {
    return Malformed(fmt::format("it has {} bytes instead of {}", file_bytes,
                                 out.FileBytes()));
  }
  return out;
}

uint64_t WeightsChecksum(std::span<const uint8_t> weights, ThreadPool& pool,
                         const std::function<bool()>& go_on) {
  std::vector<uint64_t> sums((weights.size() + kChecksumPiece - 1) /
                             kChecksumPiece);
  pool.ParallelFor(sums.size(), [&](size_t i, int) {
    if (go_on && !go_on()) return;
    const size_t at = i * kChecksumPiece;
    sums[i] = PageChecksum(weights.data() + at,
                           std::min(kChecksumPiece, weights.size() - at));
  });
  return PageChecksum(reinterpret_cast<const uint8_t*>(sums.data()),
                      sums.size() * sizeof(uint64_t));
}

}  // namespace carat
