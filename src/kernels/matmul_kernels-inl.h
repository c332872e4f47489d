// Matrix kernels over a small vector vocabulary. Included once per instruction
// set, inside its namespace and target region, after the vocabulary:
//
//   U8 (bytes), I32, F32: registers of kLanes 32-bit lanes; kTileGroups,
//   kTileRows, kDirectRows; Load*/Set*/And/Or/Shl/Shr and arithmetic; and the
//   integer dot product of a block, as Start, Step, Finish and FinishPair.
//   With CARAT_MATRIX_QUADS, MatrixQuads does the steps of several rows.
//
// A lane is an output row; a byte register holds four columns of kLanes rows.

constexpr int kVecs = kRowGroup / kLanes;  // registers per group
constexpr int kTileVecs = kVecs * kTileGroups;
constexpr int kTileWidth = kTileVecs * kLanes;  // output rows of a tile
constexpr int kPanelBlocks = 16;                // 512 columns decoded at a time
constexpr int kTilesAtOnce = 4 / kTileGroups;   // that share activations
constexpr int kCodeBytes = kLanes * 4;
// How far ahead of use packed weights are requested: what a core reads from
// memory during the latency of one read, and across the page boundaries at
// which hardware prefetchers stop.
constexpr int kPrefetchBytes = 3072;

// Activation rows of one pass: first blocks, and the distance to a row's
// 16-bit form.
template <int T>
struct XRows {
  const uint8_t* row[T];
  ptrdiff_t wide;
};

// Rows cut into parts of nearly equal size, at most `most`.
struct EvenParts {
  int64_t count, rows;
  CARAT_INLINE EvenParts(int64_t n, int64_t most) : count(n) {
    const int64_t parts = (n + most - 1) / most;
    rows = (n + parts - 1) / parts;
  }
  CARAT_INLINE int64_t at(int64_t row) const {
    return count - row < rows ? count - row : rows;
  }
};

#include "kernels/matmul_weights-inl.h"

// ---- Integer dot products ---------------------------------------------------

// acc[t][v] += columns 4J .. 4(kEnd - 1) + 3 of the block.
template <PackedLayout L, int J, int kEnd, int T, int V, class Weights>
CARAT_INLINE void Quads(const Weights& w, const XRows<T>& x, I32 (&acc)[T][V]) {
#if defined(CARAT_MATRIX_QUADS)
  if constexpr (T > 1) return MatrixQuads<L, J, kEnd>(w, x, acc);
#endif
  U8 code[V];
  CARAT_UNROLL
  for (int v = 0; v < V; ++v) code[v] = w.template Code<J>(v);
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    const auto quad = LoadQuad<L, J>(x.row[t], x.wide);
    CARAT_UNROLL
    for (int v = 0; v < V; ++v)
      acc[t][v] = Step<L, J>(acc[t][v], code[v], quad);
  }
  if constexpr (J + 1 < kEnd) Quads<L, J + 1, kEnd>(w, x, acc);
}

template <PackedLayout L, int kHalf, int T, int V>
CARAT_INLINE void StartAll(const XRows<T>& x, I32 (&acc)[T][V]) {
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    const I32 start = Start<L, kHalf>(x.row[t]);
    CARAT_UNROLL
    for (int v = 0; v < V; ++v) acc[t][v] = start;
  }
}

template <PackedLayout L, int T, int V, class Weights>
CARAT_INLINE void Dots(const Weights& w, const XRows<T>& x, I32 (&dot)[T][V]) {
  if constexpr (IsPair(SpecOf(L))) {
    I32 second[T][V];
    StartAll<L, 0>(x, dot);
    Quads<L, 0, 4>(w, x, dot);
    CARAT_UNROLL
    for (int v = 0; v < V; ++v) {
      const I32 sub = w.Sub(0, v);
      CARAT_UNROLL
      for (int t = 0; t < T; ++t) dot[t][v] = FinishPair<L>(dot[t][v], sub);
    }
    StartAll<L, 1>(x, second);
    Quads<L, 4, 8>(w, x, second);
    CARAT_UNROLL
    for (int v = 0; v < V; ++v) {
      const I32 sub = w.Sub(1, v);
      CARAT_UNROLL
      for (int t = 0; t < T; ++t) {
        dot[t][v] = AddI32(dot[t][v], FinishPair<L>(second[t][v], sub));
      }
    }
  } else {
    StartAll<L, 0>(x, dot);
    Quads<L, 0, 8>(w, x, dot);
    CARAT_UNROLL
    for (int t = 0; t < T; ++t) {
      CARAT_UNROLL
      for (int v = 0; v < V; ++v) dot[t][v] = Finish<L>(dot[t][v], x.row[t]);
    }
  }
}

// The update of one accumulator that matmul.h defines.
template <PackedLayout L>
CARAT_INLINE F32 Update(I32 dot, F32 scale, F32 min, const ActBlock* x,
                        F32 acc) {
  acc = Fma(ToF32(dot), Mul(scale, SetF32(&x->scale)), acc);
  if constexpr (HasMin(SpecOf(L))) {
    acc = Fma(min, SetF32(&x->scaled_sum), acc);
  }
  return acc;
}

template <PackedLayout L, class Weights>
CARAT_INLINE F32 MinOf(const Weights& w, int v) {
  if constexpr (HasMin(SpecOf(L)) || HasPairMin(SpecOf(L))) return w.Min(v);
  return ZeroF32();
}

// The same for the sub-minimums of two halves.
template <PackedLayout L, int T, int V, class Weights>
CARAT_INLINE void AddPairMin(const Weights& w, int v, F32 min,
                             const XRows<T>& x, F32 (&acc)[T][V]) {
  const I32 first = w.MinSub(0, v), second = w.MinSub(1, v);
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    const ActBlock* block = reinterpret_cast<const ActBlock*>(x.row[t]);
    const I32 sum = AddI32(MulI32(first, SetI32(&block->neg_first)),
                           MulI32(second, SetI32(&block->neg_second)));
    acc[t][v] = Fma(ToF32(sum), Mul(min, SetF32(&block->scale)), acc[t][v]);
  }
}

template <PackedLayout L, int T, int V, class Weights>
CARAT_INLINE void AddBlock(const Weights& w, const XRows<T>& x,
                           F32 (&acc)[T][V]) {
  I32 dot[T][V];
  Dots<L>(w, x, dot);
  CARAT_UNROLL
  for (int v = 0; v < V; ++v) {
    const F32 scale = w.Scale(v), min = MinOf<L>(w, v);
    CARAT_UNROLL
    for (int t = 0; t < T; ++t) {
      acc[t][v] =
          Update<L>(dot[t][v], scale, min,
                    reinterpret_cast<const ActBlock*>(x.row[t]), acc[t][v]);
    }
    if constexpr (HasPairMin(SpecOf(L))) AddPairMin<L>(w, v, min, x, acc);
  }
}

template <int T>
CARAT_INLINE void Advance(XRows<T>& x) {
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) x.row[t] += sizeof(ActBlock);
}

// ---- One to kDirectRows activation rows -------------------------------------

template <int T>
CARAT_INLINE XRows<T> RowsAt(const MatMulTask& task, int64_t first,
                             int64_t block) {
  XRows<T> x;
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    x.row[t] = reinterpret_cast<const uint8_t*>(
        task.x->quantized(task.x_row(first + t)) + block);
  }
  x.wide = task.x->blocks() * static_cast<ptrdiff_t>(sizeof(ActBlock));
  return x;
}

template <int V>
CARAT_INLINE void StoreRow(const F32 (&acc)[V], int64_t valid, float* y) {
  if (valid >= V * kLanes) {
    CARAT_UNROLL
    for (int v = 0; v < V; ++v) StoreF32(acc[v], y + v * kLanes);
    return;
  }
  alignas(64) float lanes[V * kLanes];
  for (int v = 0; v < V; ++v) StoreF32(acc[v], lanes + v * kLanes);
  for (int64_t i = 0; i < valid; ++i) y[i] = lanes[i];
}

// Activation rows `row` .. `row` + T - 1 times group `g` of the task.
template <PackedLayout L, int T>
void MatVec(const MatMulTask& task, int64_t row, int64_t g) {
  constexpr LayoutSpec kSpec = SpecOf(L);
  const int64_t supers = task.w->cols / (kActBlock * kSpec.super);
  const uint8_t* at =
      task.w->data.data() +
      static_cast<size_t>(task.group_begin + g) * GroupBytes(L, task.w->cols);
  F32 acc[T][kVecs];
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    CARAT_UNROLL
    for (int v = 0; v < kVecs; ++v) acc[t][v] = ZeroF32();
  }
  XRows<T> x = RowsAt<T>(task, row, 0);
  for (int64_t s = 0; s < supers; ++s) {
    DirectBlock<L> w = {at, at + kSpec.head_bytes};
    at += kSpec.head_bytes + kSpec.super * kSpec.block_bytes;
    for (int b = 0; b < kSpec.super; ++b) {
      CARAT_UNROLL
      for (int i = 0; i < kSpec.block_bytes; i += 64) {
        __builtin_prefetch(w.block + kPrefetchBytes + i);
      }
      AddBlock<L>(w, x, acc);
      Advance(x);
      w.block += kSpec.block_bytes;
    }
  }
  const int64_t valid = task.valid(task.group_begin + g);
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    StoreRow<kVecs>(acc[t], valid,
                    task.y + (row + t) * task.y_stride + g * kRowGroup);
  }
}

template <PackedLayout L, int T>
CARAT_INLINE void MatVecRows(const MatMulTask& task, int64_t row, int64_t rows,
                             int64_t g) {
  if (rows == T) {
    MatVec<L, T>(task, row, g);
  } else if constexpr (T > 1) {
    MatVecRows<L, T - 1>(task, row, rows, g);
  }
}

// Few rows: even passes of at most kPassRows over each group. Only the first
// pass reads the group from memory, the others find it in the cache.
template <PackedLayout L>
void MatVecs(const MatMulTask& task) {
  const EvenParts parts(task.row_count, kPassRows);
  for (int64_t g = 0; g < task.group_count; ++g) {
    for (int64_t row = 0; row < task.row_count; row += parts.rows) {
      MatVecRows<L, kPassRows>(task, row, parts.at(row), g);
    }
  }
}

// ---- Many activation rows ---------------------------------------------------

// c: [T][kTileWidth], updated by `blocks` decoded blocks.
template <PackedLayout L, int T>
void Tile(const PanelBlock<L>* w, int64_t blocks, const XRows<T>& from,
          float* c) {
  XRows<T> x = from;
  F32 acc[T][kTileVecs];
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    CARAT_UNROLL
    for (int v = 0; v < kTileVecs; ++v) {
      acc[t][v] = LoadF32(c + t * kTileWidth + v * kLanes);
    }
  }
  for (int64_t b = 0; b < blocks; ++b, ++w) {
    AddBlock<L>(*w, x, acc);
    Advance(x);
  }
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    CARAT_UNROLL
    for (int v = 0; v < kTileVecs; ++v) {
      StoreF32(acc[t][v], c + t * kTileWidth + v * kLanes);
    }
  }
}

template <PackedLayout L, int T>
CARAT_INLINE void TileRows(const MatMulTask& task, int64_t row, int64_t rows,
                           const PanelBlock<L>* panel, int64_t first,
                           int64_t blocks, float* c) {
  if (rows == T) {
    Tile<L, T>(panel, blocks, RowsAt<T>(task, row, first),
               c + row * kTileWidth);
  } else if constexpr (T > 1) {
    TileRows<L, T - 1>(task, row, rows, panel, first, blocks, c);
  }
}

template <PackedLayout L>
void Tiles(const MatMulTask& task, const PanelBlock<L>* panel, int64_t first,
           int64_t blocks, float* c) {
  const EvenParts parts(task.row_count, kTileRowsOf<L>);
  for (int64_t row = 0; row < task.row_count; row += parts.rows) {
    TileRows<L, kTileRowsOf<L>>(task, row, parts.at(row), panel, first, blocks,
                                c);
  }
}

template <PackedLayout L>
void DecodePanel(const uint8_t* const* groups, int64_t first, int64_t blocks,
                 PanelBlock<L>* panel) {
  constexpr LayoutSpec kSpec = SpecOf(L);
  for (int64_t b = 0; b < blocks; ++b) {
    CARAT_UNROLL
    for (int g = 0; g < kTileGroups; ++g) {
      panel[b].Decode({HeadOf(kSpec, groups[g], first + b),
                       BlockOf(kSpec, groups[g], first + b)},
                      g);
    }
  }
}

CARAT_INLINE void StoreTile(const MatMulTask& task, int64_t g, const float* c) {
  for (int64_t i = 0; i < task.row_count; ++i, c += kTileWidth) {
    for (int k = 0; k < kTileGroups && g + k < task.group_count; ++k) {
      F32 row[kVecs];
      CARAT_UNROLL
      for (int v = 0; v < kVecs; ++v) {
        row[v] = LoadF32(c + k * kRowGroup + v * kLanes);
      }
      StoreRow<kVecs>(row, task.valid(task.group_begin + g + k),
                      task.y + i * task.y_stride + (g + k) * kRowGroup);
    }
  }
}

// The groups of the tile that begins with group `g` of the task. A tile that
// sticks out repeats its first group; StoreTile drops it.
struct TileWeights {
  const uint8_t* groups[kTileGroups];
  CARAT_INLINE TileWeights(const MatMulTask& task, int64_t g,
                           size_t group_bytes) {
    for (int k = 0; k < kTileGroups; ++k) {
      const int64_t at = g + k < task.group_count ? g + k : g;
      groups[k] = task.w->data.data() +
                  static_cast<size_t>(task.group_begin + at) * group_bytes;
    }
  }
};

// Columns in the outer loop: the activations of a panel's columns stay in the
// second-level cache while the tiles of several groups use them, and a panel is
// decoded once for all rows.
template <PackedLayout L>
void MatMat(const MatMulTask& task) {
  alignas(64) PanelBlock<L> panel[kPanelBlocks];
  alignas(64) float c[kTilesAtOnce][kMaxTaskRows * kTileWidth];
  const size_t group_bytes = GroupBytes(L, task.w->cols);
  const int64_t blocks = task.w->cols / kActBlock;
  constexpr int64_t kGroups = kTilesAtOnce * kTileGroups;
  for (int64_t g = 0; g < task.group_count; g += kGroups) {
    const int64_t end =
        g + kGroups < task.group_count ? g + kGroups : task.group_count;
    for (int64_t at = g, i = 0; at < end; at += kTileGroups, ++i) {
      std::memset(
          c[i], 0,
          sizeof(float) * kTileWidth * static_cast<size_t>(task.row_count));
    }
    for (int64_t first = 0; first < blocks; first += kPanelBlocks) {
      const int64_t n =
          blocks - first < kPanelBlocks ? blocks - first : kPanelBlocks;
      for (int64_t at = g, i = 0; at < end; at += kTileGroups, ++i) {
        DecodePanel<L>(TileWeights(task, at, group_bytes).groups, first, n,
                       panel);
        Tiles<L>(task, panel, first, n, c[i]);
      }
    }
    for (int64_t at = g, i = 0; at < end; at += kTileGroups, ++i) {
      StoreTile(task, at, c[i]);
    }
  }
}

template <PackedLayout L>
void RunQuantized(const MatMulTask& task) {
  if (task.row_count <= kDirectRowsOf<L>) {
    MatVecs<L>(task);
  } else {
    MatMat<L>(task);
  }
}

#include "kernels/matmul_float-inl.h"

inline MatMulTaskFn KernelOf(PackedLayout layout) {
  switch (layout) {
    case PackedLayout::kNone:
      return nullptr;
    case PackedLayout::kF32:
      return &RunFloat<PackedLayout::kF32>;
    case PackedLayout::kBF16:
      return &RunFloat<PackedLayout::kBF16>;
    case PackedLayout::kF16:
      return &RunFloat<PackedLayout::kF16>;
    case PackedLayout::kQ4_0:
      return &RunQuantized<PackedLayout::kQ4_0>;
    case PackedLayout::kQ4_1:
      return &RunQuantized<PackedLayout::kQ4_1>;
    case PackedLayout::kQ5_0:
      return &RunQuantized<PackedLayout::kQ5_0>;
    case PackedLayout::kQ5_1:
      return &RunQuantized<PackedLayout::kQ5_1>;
    case PackedLayout::kQ8_0:
      return &RunQuantized<PackedLayout::kQ8_0>;
    case PackedLayout::kQ2_K:
      return &RunQuantized<PackedLayout::kQ2_K>;
    case PackedLayout::kQ3_K:
      return &RunQuantized<PackedLayout::kQ3_K>;
    case PackedLayout::kQ4_K:
      return &RunQuantized<PackedLayout::kQ4_K>;
    case PackedLayout::kQ5_K:
      return &RunQuantized<PackedLayout::kQ5_K>;
    case PackedLayout::kQ6_K:
      return &RunQuantized<PackedLayout::kQ6_K>;
    case PackedLayout::kIQ4_NL:
      return &RunQuantized<PackedLayout::kIQ4_NL>;
    case PackedLayout::kIQ4_XS:
      return &RunQuantized<PackedLayout::kIQ4_XS>;
    case PackedLayout::kMXFP4:
      return &RunQuantized<PackedLayout::kMXFP4>;
    case PackedLayout::kIQ:
      return &RunQuantized<PackedLayout::kIQ>;
  }
  return nullptr;
}
