// Grouped-query attention over a paged cache, with per-head query and key norms
// and rotary embedding. Three kinds, told apart by which matrices are present:
//   owner:          q, k, v, o
//   owner, V = K:   q, k, o     (values are the raw key projection)
//   reader:         q, o        (keys and values of an earlier layer's cache)
#ifndef CARAT_BLOCKS_GQA_ATTENTION_H_
#define CARAT_BLOCKS_GQA_ATTENTION_H_

#include <cstdint>
#include <vector>

#include "blocks/batch.h"
#include "blocks/linear.h"
#include "blocks/norm.h"
#include "blocks/observer.h"
#include "blocks/rope.h"

namespace carat {

// Reusable memory of an attention layer.
struct AttentionWorkspace {
  Activations q, k, v;       // projections, [rows, heads * head_dim]
  bool has_queries = false;  // WriteCache has filled q for the next Forward
  Activations context;       // weighted values, [rows, heads * head_dim]
  std::vector<AttentionRow> rows;
  AttentionScratch scratch;
};

// What a layer needs to know about the batch.
struct AttentionBatch {
  const std::vector<BatchRow>& rows;
  const std::vector<const KvTables*>& sequences;
  const RopeAngles& rope;
  const KvSlice& slice;
  int group;           // page group of the layer's cache
  Observer* observer;  // null, or sees q, k, v and the context
  int layer;           // for the observer's names
};

class GqaAttention {
 public:
  struct Shape {
    int heads = 0;
    int kv_heads = 0;
    int head_dim = 0;
    float scale = 1.0f;
    int64_t window = 0;  // positions seen, itself included; 0: all
    float softcap = 0.0f;
  };
  Shape shape;
  Linear q;                  // [heads * head_dim, hidden]
  Linear k;                  // [kv_heads * head_dim, hidden], empty: reader
  Linear v;                  // the same, empty with k present: V = K
  Linear o;                  // [hidden, heads * head_dim]
  RmsNorm q_norm;            // [head_dim]
  RmsNorm k_norm;            // [head_dim]
  bool norm_values = false;  // values pass an RMSNorm without weight

  bool owns_cache() const { return !k.empty(); }

  // When the query projection of a layer with a cache runs: with the keys and
  // values, in one product over all rows, or in Forward, over fewer rows.
  enum class Queries : uint8_t { kWithKeys, kLater };

  // Computes keys and values of all rows of `x` [rows, hidden] and writes them
  // to the cache. Owners only. With kWithKeys, Forward must get the same x.
  void WriteCache(const Activations& x, const AttentionBatch& batch,
                  Queries queries, AttentionWorkspace& ws,
                  ThreadPool& pool) const;

  // y [rows, hidden] = o(attention(q(x))). The cache must already hold every
  // position up to each row's own.
  void Forward(const Activations& x, const AttentionBatch& batch,
               AttentionWorkspace& ws, Activations& y, ThreadPool& pool) const;
};

}  // namespace carat

#endif  // CARAT_BLOCKS_GQA_ATTENTION_H_
