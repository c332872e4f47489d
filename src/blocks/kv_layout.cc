#include "blocks/kv_layout.h"

namespace carat {

int KvLayout::GroupFor(int64_t window) {
  for (size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].window == window) return static_cast<int>(g);
  }
  groups.push_back({.window = window, .slices = {}, .page_bytes = 0});
  return static_cast<int>(groups.size()) - 1;
}

void KvLayout::AddOwner(int group, KvType type, int kv_heads, int head_dim) {
  KvGroup& g = groups[group];
  g.slices.push_back({.type = type,
                      .offset_bytes = g.page_bytes,
                      .kv_heads = kv_heads,
                      .head_dim = head_dim});
  g.page_bytes += g.slices.back().bytes();
  layers.push_back({.group = group,
                    .slice = static_cast<int>(g.slices.size()) - 1,
                    .owner = true});
}

void KvLayout::AddReader(int source) {
  Slot slot = layers[source];
  slot.owner = false;
  layers.push_back(slot);
}

int KvLayout::LastOwner() const {
  int last = -1;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].owner) last = static_cast<int>(i);
  }
  return last;
}

}  // namespace carat
