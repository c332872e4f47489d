// Attention of query rows over a paged KV cache.
//
// A page holds kKvTile consecutive positions, aligned to absolute positions.
// Inside a layer's slice of a page, for each KV head:
//   K [kKvTile / 16][head_dim][16]  lanes are positions: no horizontal sums
//   V [head_dim / 16][kKvTile][16]  lanes are dimensions
// in f32, f16 or 8 bits. The 8-bit form holds integers of [-127, 127] in that
// order and behind them, for each block of kKvBlock dimensions of a position,
// the binary16 scale that they are multiplied by when loaded:
//   scales of K [kKvTile / 16][blocks][16]
//   scales of V [blocks][kKvTile]
// Scores accumulate over head_dim in order, values over positions in order,
// softmax runs online over tiles, and every kKvSplit positions a fresh partial
// result starts that is merged in ascending order. All borders are absolute
// positions, so a row's result does not depend on the batch, the chunking of
// the prompt, the thread count or the instruction set.
#ifndef CARAT_KERNELS_ATTENTION_H_
#define CARAT_KERNELS_ATTENTION_H_

#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/cpu.h"
#include "tensor/aligned_buffer.h"

namespace carat {

inline constexpr int64_t kKvTile = 64;    // positions per page
inline constexpr int64_t kKvSplit = 128;  // positions per partial result

inline constexpr int64_t kKvBlock = 32;  // 8-bit values that share a scale

enum class KvType : uint8_t { kF32, kF16, kQ8 };
const char* KvTypeName(KvType type);  // "f32", "f16", "q8"

// Where one layer's keys and values lie inside the pages of its group.
struct KvSlice {
  KvType type = KvType::kF16;
  int64_t offset_bytes = 0;  // from the start of a page
  int kv_heads = 0;
  int head_dim = 0;  // a multiple of 16
  // Scales of one position's key or value.
  int64_t blocks() const { return (head_dim + kKvBlock - 1) / kKvBlock; }
  // One head's keys and values, each element once.
  int64_t head_bytes() const {
    const int64_t elements = 2 * kKvTile * head_dim;
    if (type == KvType::kQ8) return elements + 2 * kKvTile * blocks() * 2;
    return elements * (type == KvType::kF32 ? 4 : 2);
  }
  int64_t bytes() const { return kv_heads * head_bytes(); }
};

// One query row: its sequence's page table (indexed by position / kKvTile) and
// the positions [begin, end) that it sees; every page in that range is present.
struct AttentionRow {
  uint8_t* const* pages = nullptr;
  int64_t begin = 0;
  int64_t end = 0;
};

struct AttentionArgs {
  const AttentionRow* rows = nullptr;
  int64_t count = 0;         // rows
  const float* q = nullptr;  // [count, heads, head_dim]
  int64_t q_stride = 0;      // floats between rows
  float* out = nullptr;      // [count, heads, head_dim]
  int64_t out_stride = 0;
  int heads = 0;         // query head h reads KV head h / (heads/kv_heads)
  float scale = 1.0f;    // scores are multiplied by it
  float softcap = 0.0f;  // 0: none; else cap * tanh(score / cap)
  KvSlice slice;
};

// Reusable memory of Attention; grows as needed.
class AttentionScratch {
 public:
  float* Get(size_t floats);

 private:
  AlignedBuffer buffer_;
};

void Attention(const AttentionArgs& args, AttentionScratch& scratch,
               ThreadPool& pool);
void AttentionWith(Isa isa, const AttentionArgs& args,
                   AttentionScratch& scratch, ThreadPool& pool);

// Writes one position's key and value, each [kv_heads, head_dim] f32. What is
// too large for the type (f16: 65504, q8: 127 times that) becomes the largest
// number that fits.
void KvWrite(const KvSlice& slice, uint8_t* page, int64_t position,
             const float* k, const float* v);

// The inner kernels of one instruction set; attention.cc schedules them.
struct AttentionOps {
  // Partial attention of `count` query vectors (count <= kMaxQueries) that
  // share a KV head over positions [split_begin, split_end).
  struct Partial {
    const float* const* q;            // [count] -> [head_dim]
    const AttentionRow* const* rows;  // [count]
    int count;
    int kv_head;
    int64_t split_begin, split_end;
    float scale, softcap;
    KvSlice slice;
    float* scratch;   // kScratchFloats(head_dim)
    float* m;         // [count] running maximum, out
    float* l;         // [count] sum of weights, out
    float* const* o;  // [count] -> [head_dim] weighted sum, out
  };
  void (*partial)(const Partial& args);
  // (m, l, o) <- merge of (m, l, o) and the later (m2, l2, o2).
  void (*merge)(float m2, float l2, const float* o2, int64_t n, float* m,
                float* l, float* o);
  // out = o / l
  void (*finish)(const float* o, float l, int64_t n, float* out);
};
inline constexpr int kMaxQueries = 32;
// A copy of a tile of keys or values, scores, and scales of a page's values.
inline int64_t AttentionScratchFloats(int64_t head_dim) {
  return 16 * head_dim + 16 * kKvTile + kMaxQueries * kKvTile +
         (head_dim + kKvBlock) / kKvBlock * kKvTile;
}

}  // namespace carat

#endif  // CARAT_KERNELS_ATTENTION_H_
