// Float weights times f32 activations, over the vocabulary of
// matmul_kernels-inl.h, which includes this. Column by column, one fused
// multiply-add per output.

constexpr int64_t kFloatPanel = 256;  // columns between two looks at a row

// acc += columns 0 .. cols - 1 at w (G groups, group_bytes apart) times x.
template <PackedLayout L, int T, int G>
CARAT_INLINE void AddColumns(const uint8_t* w, size_t group_bytes,
                             const float* const (&x)[T], int64_t cols,
                             F32 (&acc)[T][G * kVecs]) {
  constexpr int kBytes = kLanes * FloatBytes(L);
  for (int64_t c = 0; c < cols; ++c, w += kVecs * kBytes) {
    F32 weight[G * kVecs];
    CARAT_UNROLL
    for (int v = 0; v < G * kVecs; ++v) {
      weight[v] =
          LoadWeights<L>(w + static_cast<size_t>(v / kVecs) * group_bytes +
                         v % kVecs * kBytes);
    }
    CARAT_UNROLL
    for (int t = 0; t < T; ++t) {
      const F32 value = SetF32(x[t] + c);
      CARAT_UNROLL
      for (int v = 0; v < G * kVecs; ++v) {
        acc[t][v] = Fma(weight[v], value, acc[t][v]);
        CARAT_KEEP(acc[t][v]);
      }
    }
  }
}

// Few activation rows times G groups: their chains of additions overlap.
template <PackedLayout L, int T, int G>
void FloatVec(const MatMulTask& task, int64_t row, int64_t g) {
  const size_t group_bytes = GroupBytes(L, task.w->cols);
  const float* x[T];
  F32 acc[T][G * kVecs];
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    x[t] = task.x->row(task.x_row(row + t));
    CARAT_UNROLL
    for (int v = 0; v < G * kVecs; ++v) acc[t][v] = ZeroF32();
  }
  AddColumns<L, T, G>(
      task.w->data.data() +
          static_cast<size_t>(task.group_begin + g) * group_bytes,
      group_bytes, x, task.w->cols, acc);
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    CARAT_UNROLL
    for (int k = 0; k < G; ++k) {
      F32 part[kVecs];
      CARAT_UNROLL
      for (int v = 0; v < kVecs; ++v) part[v] = acc[t][k * kVecs + v];
      StoreRow<kVecs>(part, task.valid(task.group_begin + g + k),
                      task.y + (row + t) * task.y_stride + (g + k) * kRowGroup);
    }
  }
}

// c: [T][kRowGroup], updated by columns `first` .. `first` + cols - 1, which
// start at w.
template <PackedLayout L, int T>
void FloatTile(const MatMulTask& task, int64_t row, const uint8_t* w,
               int64_t first, int64_t cols, float* c) {
  const float* x[T];
  F32 acc[T][kVecs];
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    x[t] = task.x->row(task.x_row(row + t)) + first;
    CARAT_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      acc[t][v] = LoadF32(c + t * kRowGroup + v * kLanes);
    }
  }
  AddColumns<L, T, 1>(w, 0, x, cols, acc);
  CARAT_UNROLL
  for (int t = 0; t < T; ++t) {
    CARAT_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      StoreF32(acc[t][v], c + t * kRowGroup + v * kLanes);
    }
  }
}

template <PackedLayout L, int T>
CARAT_INLINE void FloatTileRows(const MatMulTask& task, int64_t row,
                                int64_t rows, const uint8_t* w, int64_t first,
                                int64_t cols, float* c) {
  if (rows == T) {
    FloatTile<L, T>(task, row, w, first, cols, c);
  } else if constexpr (T > 1) {
    FloatTileRows<L, T - 1>(task, row, rows, w, first, cols, c);
  }
}

template <PackedLayout L>
void FloatGroup(const MatMulTask& task, int64_t g) {
  alignas(64) float c[kMaxTaskRows * kRowGroup];
  std::memset(c, 0,
              sizeof(float) * kRowGroup * static_cast<size_t>(task.row_count));
  const uint8_t* w =
      task.w->data.data() +
      static_cast<size_t>(task.group_begin + g) * GroupBytes(L, task.w->cols);
  const EvenParts parts(task.row_count, kFloatRows);
  for (int64_t first = 0; first < task.w->cols; first += kFloatPanel) {
    const int64_t left = task.w->cols - first;
    const int64_t cols = left < kFloatPanel ? left : kFloatPanel;
    const uint8_t* at = w + first * kRowGroup * FloatBytes(L);
    for (int64_t row = 0; row < task.row_count; row += parts.rows) {
      FloatTileRows<L, kFloatRows>(task, row, parts.at(row), at, first, cols,
                                   c + row * kRowGroup);
    }
  }
  const int64_t valid = task.valid(task.group_begin + g);
  for (int64_t i = 0; i < task.row_count; ++i) {
    std::memcpy(task.y + i * task.y_stride + g * kRowGroup, c + i * kRowGroup,
                sizeof(float) * static_cast<size_t>(valid));
  }
}

template <PackedLayout L>
void RunFloat(const MatMulTask& task) {
  int64_t g = 0;
  if (task.row_count == 1) {
    for (; g + 4 <= task.group_count; g += 4) FloatVec<L, 1, 4>(task, 0, g);
  } else if (task.row_count == 2) {
    for (; g + 2 <= task.group_count; g += 2) FloatVec<L, 2, 2>(task, 0, g);
  }
  for (; g < task.group_count; ++g) FloatGroup<L>(task, g);
}
