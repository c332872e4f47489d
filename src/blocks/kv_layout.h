// Which layers keep keys and values, and where. Layers with the same reach (all
// positions, or a sliding window) form a group and share pages: one page holds
// kKvTile positions of every layer in its group. Layers that reuse another
// layer's cache point at the owner's slice. Immutable, part of the Model.
#ifndef CARAT_BLOCKS_KV_LAYOUT_H_
#define CARAT_BLOCKS_KV_LAYOUT_H_

#include <cstdint>
#include <vector>

#include "kernels/attention.h"

namespace carat {

struct KvGroup {
  int64_t window = 0;           // positions seen, itself included; 0: all
  std::vector<KvSlice> slices;  // one per owning layer
  int64_t page_bytes = 0;
};

struct KvLayout {
  struct Slot {
    int group = 0;
    int slice = 0;
    bool owner = true;  // false: reads the slice of an earlier layer
  };
  std::vector<KvGroup> groups;
  std::vector<Slot> layers;

  // Group index for `window`, added if new.
  int GroupFor(int64_t window);
  // Gives the next layer a slice of its own in group `group`.
  void AddOwner(int group, KvType type, int kv_heads, int head_dim);
  // Lets the next layer read the cache of layer `source`.
  void AddReader(int source);

  const KvSlice& SliceOf(int layer) const {
    const Slot& slot = layers[layer];
    return groups[slot.group].slices[slot.slice];
  }
  // The last layer that owns a cache, -1 for none.
  int LastOwner() const;
};

// The page tables of one sequence: tables[group][position / kKvTile]; null
// where a sliding group has dropped the page. Owned by kv/, read by models.
struct KvTables {
  std::vector<std::vector<uint8_t*>> tables;
};

}  // namespace carat

#endif  // CARAT_BLOCKS_KV_LAYOUT_H_
