#include "models/token_work.h"

#include <charconv>
#include <string_view>

namespace carat {
namespace {

// The layer of "blk.7.attn_q.weight": 7; -1 for what belongs to none.
int LayerOf(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return -1;
  int layer = -1;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(),
                  layer);
  return layer;
}

bool IsHead(std::string_view name) {
  return name == "output.weight" || name == "token_embd.weight";
}

// Whether every token of a prompt passes the matrix; see KeepOutputRows.
bool EveryTokenNeeds(std::string_view name, int last_owner) {
  if (IsHead(name)) return false;
  const int layer = LayerOf(name);
  return layer < last_owner ||
         (layer == last_owner && (name.find(".attn_k.") != name.npos ||
                                  name.find(".attn_v.") != name.npos));
}

}  // namespace

TokenWork CountTokenWork(const std::vector<PackedPiece>& pieces,
                         const DecoderConfig& config, const KvLayout& layout) {
  TokenWork work;
  const int last_owner = layout.LastOwner();
  for (const PackedPiece& piece : pieces) {
    uint64_t bytes = piece.bytes, multiply_adds = piece.elements;
    if (piece.name.find("_exps.") != std::string::npos && config.experts > 0) {
      const auto used = static_cast<uint64_t>(config.experts_used);
      const auto all = static_cast<uint64_t>(config.experts);
      bytes = bytes / all * used;
      multiply_adds = multiply_adds / all * used;
    }
    work.decode_bytes += bytes;
    work.decode_multiply_adds += multiply_adds;
    if (EveryTokenNeeds(piece.name, last_owner)) {
      work.prefill_multiply_adds += multiply_adds;
    }
  }
  return work;
}

}  // namespace carat
