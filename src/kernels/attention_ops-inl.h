// Attention's inner kernels over F32x16. Included once per instruction set,
// inside `namespace carat::ISA`, after vector_ops-inl.h and these constants. No
// include guard.
//   kAttentionRows    queries that share a load of keys or values
//   kAttentionTiles   tiles of 16 positions or dimensions at once
//   kAttentionCopies  keys and values are converted to f32 once per tile into
//                     memory, not once per kAttentionRows queries in registers

// Loads 16 cache elements at element offset `at` of a head.
template <KvType kType>
inline F32x16 LoadKv(const uint8_t* head, int64_t at) {
  if constexpr (kType == KvType::kF32) {
    return Load(reinterpret_cast<const float*>(head) + at);
  } else {
    return LoadHalf(reinterpret_cast<const uint16_t*>(head) + at);
  }
}

// Reads of the cache jump: to the next tile after a few kilobytes, to another
// page after some more, where no hardware prefetcher follows. So whoever reads
// a piece of it requests what comes this much later in the order of reading.
constexpr int64_t kRequestAhead = 32768;

template <int kBytes>
inline void Request(const uint8_t* at) {
  CARAT_UNROLL
  for (int i = 0; i < kBytes; i += 64) __builtin_prefetch(at + i, 0, 2);
}

// Where tiles find keys or values: the cache itself, or a copy in f32.
template <KvType kType>
struct KvSource {
  // Bytes of the cache that one step of one tile reads.
  static constexpr int kStep = kType == KvType::kF32 ? 64 : 32;
  const uint8_t* head;
  int64_t at;      // element offset of the first tile
  int64_t stride;  // elements between tiles
  F32x16 operator()(int tile, int64_t i) const {
    return LoadKv<kType>(head, at + tile * stride + i * 16);
  }
  // The same for dimensions [kKvBlock b, kKvBlock (b + 1)) of kTiles tiles.
  template <int kTiles>
  const KvSource& Block(int64_t) const {
    return *this;
  }
};

struct KvCopy {
  static constexpr int kStep = 0;
  const float* values;  // of one tile
  F32x16 operator()(int, int64_t i) const { return Load(values + i * 16); }
  template <int kTiles>
  const KvCopy& Block(int64_t) const {
    return *this;
  }
};

// 8-bit keys: lanes are positions, each with a scale for kKvBlock dimensions.
struct Q8Keys {
  static constexpr int kStep = 16;
  const int8_t* codes;     // of the first tile, [head_dim][16]
  const uint16_t* scales;  // [blocks][16]
  int64_t stride, scale_stride;

  template <int kTiles>
  struct Scaled {
    const int8_t* codes;
    int64_t stride;
    F32x16 scale[kTiles];
    F32x16 operator()(int tile, int64_t i) const {
      return Mul(LoadInts(codes + tile * stride + i * 16), scale[tile]);
    }
  };
  template <int kTiles>
  Scaled<kTiles> Block(int64_t b) const {
    Scaled<kTiles> out = {codes, stride, {}};
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) {
      out.scale[u] = LoadHalf(scales + u * scale_stride + b * 16);
    }
    return out;
  }
};

// 8-bit values of up to kKvBlock dimensions: lanes are dimensions, a position
// has one scale.
struct Q8Values {
  static constexpr int kStep = 16;
  const int8_t* codes;  // of the first tile, [kKvTile][16]
  const float* scales;  // [kKvTile]
  int64_t stride;
  F32x16 operator()(int tile, int64_t t) const {
    return Mul(LoadInts(codes + tile * stride + t * 16), Set(scales[t]));
  }
};

// One KV head's part of a page.
template <KvType kType>
struct KvHead {
  const uint8_t* head;
  int64_t dim;
  auto Keys(int tile) const {
    return KvSource<kType>{head, tile * dim * 16, dim * 16};
  }
  auto Values(int64_t d) const {
    return KvSource<kType>{head, kKvTile * (dim + d), kKvTile * 16};
  }
};

template <>
struct KvHead<KvType::kQ8> {
  const uint8_t* head;
  int64_t dim;
  const float* value_scales;  // [blocks][kKvTile]
  static const uint16_t* ScalesOf(const uint8_t* head, int64_t dim) {
    return reinterpret_cast<const uint16_t*>(head + 2 * kKvTile * dim);
  }
  auto Keys(int tile) const {
    const int64_t blocks = (dim + kKvBlock - 1) / kKvBlock;
    return Q8Keys{reinterpret_cast<const int8_t*>(head) + tile * dim * 16,
                  ScalesOf(head, dim) + tile * blocks * 16, dim * 16,
                  blocks * 16};
  }
  auto Values(int64_t d) const {
    return Q8Values{reinterpret_cast<const int8_t*>(head) + kKvTile * (dim + d),
                    value_scales + d / kKvBlock * kKvTile, kKvTile * 16};
  }
};

// `scratch` takes what the view needs converted: [blocks][kKvTile].
template <KvType kType>
inline KvHead<kType> HeadOf(const uint8_t* head, int64_t dim, float* scratch) {
  if constexpr (kType == KvType::kQ8) {
    const int64_t n = (dim + kKvBlock - 1) / kKvBlock * kKvTile;
    const uint16_t* scales = KvHead<kType>::ScalesOf(head, dim) + n;
    for (int64_t i = 0; i < n; i += 16) {
      Store(LoadHalf(scales + i), scratch + i);
    }
    return {head, dim, scratch};
  } else {
    return {head, dim};
  }
}

// scores[j][16u .. 16u + 16) = q[j] . K for the positions of kTiles tiles.
// `ahead`: as many bytes as are read from here on are requested meanwhile.
template <int kCount, int kTiles, class Source>
inline void ScoreTile(const float* const* q, const Source& k, int64_t head_dim,
                      const uint8_t* ahead, float* const* scores) {
  constexpr int kStep = kTiles * Source::kStep;
  F32x16 acc[kCount][kTiles];
  CARAT_UNROLL
  for (int j = 0; j < kCount; ++j) {
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) acc[j][u] = Set(0.0f);
  }
  for (int64_t from = 0; from < head_dim; from += kKvBlock) {
    const auto& block = k.template Block<kTiles>(from / kKvBlock);
    const int64_t left = head_dim - from;
    const int64_t end = from + (left < kKvBlock ? left : kKvBlock);
    for (int64_t d = from; d < end; ++d) {
      Request<kStep>(ahead + d * kStep);
      F32x16 kd[kTiles];
      CARAT_UNROLL
      for (int u = 0; u < kTiles; ++u) kd[u] = block(u, d);
      CARAT_UNROLL
      for (int j = 0; j < kCount; ++j) {
        const F32x16 qd = Set(q[j][d]);
        CARAT_UNROLL
        for (int u = 0; u < kTiles; ++u) acc[j][u] = Fma(qd, kd[u], acc[j][u]);
      }
    }
  }
  CARAT_UNROLL
  for (int j = 0; j < kCount; ++j) {
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) Store(acc[j][u], scores[j] + u * 16);
  }
}

// o[j][16u .. 16u + 16) = o[j] * fix[j] + p[j] . V over positions
// [first, last) for the dimensions of kTiles tiles. Where fix[j] is zero there
// is nothing before, and o[j] is not read.
template <int kCount, int kTiles, class Source>
inline void ValueTile(const float* const* p, const float* fix, const Source& v,
                      int first, int last, const uint8_t* ahead,
                      float* const* o) {
  constexpr int kStep = kTiles * Source::kStep;
  F32x16 acc[kCount][kTiles];
  CARAT_UNROLL
  for (int j = 0; j < kCount; ++j) {
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) {
      acc[j][u] =
          fix[j] == 0.0f ? Set(0.0f) : Mul(Load(o[j] + u * 16), Set(fix[j]));
    }
  }
  for (int t = first; t < last; ++t) {
    Request<kStep>(ahead + t * kStep);
    F32x16 vt[kTiles];
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) vt[u] = v(u, t);
    CARAT_UNROLL
    for (int j = 0; j < kCount; ++j) {
      const F32x16 pt = Set(p[j][t]);
      CARAT_UNROLL
      for (int u = 0; u < kTiles; ++u) acc[j][u] = Fma(pt, vt[u], acc[j][u]);
    }
  }
  CARAT_UNROLL
  for (int j = 0; j < kCount; ++j) {
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) Store(acc[j][u], o[j] + u * 16);
  }
}

// The above for `count` queries, kAttentionRows at a time.
template <int kTiles, int kRows = kAttentionRows, class Source>
inline void ScoreTiles(int count, const float* const* q, const Source& k,
                       int64_t head_dim, const uint8_t* ahead,
                       float* const* scores) {
  for (; count >= kRows; count -= kRows, q += kRows, scores += kRows) {
    ScoreTile<kRows, kTiles>(q, k, head_dim, ahead, scores);
  }
  if constexpr (kRows > 1) {
    if (count > 0) {
      ScoreTiles<kTiles, kRows - 1>(count, q, k, head_dim, ahead, scores);
    }
  }
}

template <int kTiles, int kRows = kAttentionRows, class Source>
inline void ValueTiles(int count, const float* const* p, const float* fix,
                       const Source& v, int first, int last,
                       const uint8_t* ahead, float* const* o) {
  for (; count >= kRows; count -= kRows, p += kRows, fix += kRows, o += kRows) {
    ValueTile<kRows, kTiles>(p, fix, v, first, last, ahead, o);
  }
  if constexpr (kRows > 1) {
    if (count > 0) {
      ValueTiles<kTiles, kRows - 1>(count, p, fix, v, first, last, ahead, o);
    }
  }
}

// Masks, caps and exponentiates one row of kKvTile scores; returns the factor
// by which what was summed before has to shrink.
inline float SoftmaxTile(float* s, int first, int last, float scale,
                         float softcap, float* m, float* l) {
  constexpr float kMinusInfinity = -__builtin_inff();
  float top = kMinusInfinity;
  for (int i = 0; i < kKvTile; i += 16) {
    F32x16 x = Mul(Load(s + i), Set(scale));
    if (softcap > 0.0f) {
      x = Mul(TanhV(Div(x, Set(softcap))), Set(softcap));
    }
    Store(x, s + i);
  }
  for (int t = 0; t < first; ++t) s[t] = kMinusInfinity;
  for (int t = last; t < kKvTile; ++t) s[t] = kMinusInfinity;
  for (int i = 0; i < kKvTile; i += 16) {
    const float x = MaxOf(Load(s + i));
    top = x > top ? x : top;
  }
  const float next = top > *m ? top : *m;
  const float fix = ExpImpl(*m - next);
  F32x16 sum = Set(0.0f);
  for (int i = 0; i < kKvTile; i += 16) {
    const F32x16 e = ExpV(Sub(Load(s + i), Set(next)));
    Store(e, s + i);
    sum = Add(sum, e);
  }
  *l = __builtin_fmaf(*l, fix, Sum(sum));
  *m = next;
  return fix;
}

// The queries that see some of positions [tile, tile + kKvTile).
struct TileQueries {
  int count = 0;
  const float* q[kMaxQueries];
  float* o[kMaxQueries];
  float* s[kMaxQueries];
  float fix[kMaxQueries];
  int index[kMaxQueries];
  int first[kMaxQueries], last[kMaxQueries];
  int low = kKvTile, high = 0;  // union of [first, last)
};

inline TileQueries SelectQueries(const AttentionOps::Partial& a, int64_t tile,
                                 float* scores) {
  TileQueries t;
  for (int j = 0; j < a.count; ++j) {
    const int64_t begin = a.rows[j]->begin, end = a.rows[j]->end;
    const int first = static_cast<int>(begin > tile ? begin - tile : 0);
    const int last =
        static_cast<int>(end - tile < kKvTile ? end - tile : kKvTile);
    if (first >= last) continue;
    t.q[t.count] = a.q[j];
    t.o[t.count] = a.o[j];
    t.s[t.count] = scores + t.count * kKvTile;
    t.first[t.count] = first;
    t.last[t.count] = last;
    t.index[t.count] = j;
    t.low = first < t.low ? first : t.low;
    t.high = last > t.high ? last : t.high;
    ++t.count;
  }
  return t;
}

// A copy in f32 at `scratch` of tile 0 of a source.
template <class Source>
inline KvCopy CopyKeys(const Source& k, int64_t dim, const uint8_t* ahead,
                       float* scratch) {
  for (int64_t from = 0; from < dim; from += kKvBlock) {
    const auto& block = k.template Block<1>(from / kKvBlock);
    const int64_t end = from + kKvBlock < dim ? from + kKvBlock : dim;
    for (int64_t d = from; d < end; ++d) {
      Request<Source::kStep>(ahead + d * Source::kStep);
      Store(block(0, d), scratch + d * 16);
    }
  }
  return {scratch};
}
template <class Source>
inline KvCopy CopyValues(const Source& v, int first, int last,
                         const uint8_t* ahead, float* scratch) {
  for (int t = first; t < last; ++t) {
    Request<Source::kStep>(ahead + t * Source::kStep);
    Store(v(0, t), scratch + t * 16);
  }
  return {scratch};
}

// A KV head's part of one page and of the page that follows.
struct PageOrder {
  const uint8_t *head, *next;
  int64_t bytes;
  // What is read kRequestAhead after the byte at `offset`: keys and values of a
  // page are read in the order in which they lie.
  const uint8_t* Ahead(int64_t offset) const {
    const int64_t at = offset + kRequestAhead;
    return at < bytes ? head + at : next + (at - bytes);
  }
};

inline PageOrder OrderOf(const AttentionOps::Partial& a, const TileQueries& t,
                         int64_t tile) {
  uint8_t* const* pages = a.rows[t.index[0]]->pages + tile / kKvTile;
  int64_t end = 0;
  for (int j = 0; j < t.count; ++j) {
    const int64_t row_end = a.rows[t.index[j]]->end;
    end = row_end > end ? row_end : end;
  }
  const int64_t bytes = a.slice.head_bytes();
  const int64_t offset = a.slice.offset_bytes + a.kv_head * bytes;
  const bool last = tile + kKvTile >= end;
  return {pages[0] + offset, pages[last ? 0 : 1] + offset, bytes};
}

// Scores of kTiles tiles of keys from sub-tile `sub` on.
template <KvType kType, int kTiles>
inline void ScoreKeys(const AttentionOps::Partial& a, const TileQueries& t,
                      const KvHead<kType>& head, const PageOrder& order,
                      int sub) {
  const int64_t dim = a.slice.head_dim;
  float* at[kMaxQueries];
  for (int j = 0; j < t.count; ++j) at[j] = t.s[j] + sub * 16;
  const auto keys = head.Keys(sub);
  const uint8_t* ahead = order.Ahead(sub * dim * decltype(keys)::kStep);
  if constexpr (kAttentionCopies && kType != KvType::kF32) {
    static_assert(kTiles == 1, "the copy has room for one tile");
    ScoreTiles<kTiles>(t.count, t.q, CopyKeys(keys, dim, ahead, a.scratch), dim,
                       ahead, at);
  } else {
    ScoreTiles<kTiles>(t.count, t.q, keys, dim, ahead, at);
  }
}

// Adds kTiles tiles of values from dimension `d` on.
template <KvType kType, int kTiles>
inline void AddValues(const AttentionOps::Partial& a, const TileQueries& t,
                      const KvHead<kType>& head, const PageOrder& order,
                      int64_t d) {
  static_assert(kTiles * 16 <= kKvBlock, "tiles share one scale");
  float* at[kMaxQueries];
  for (int j = 0; j < t.count; ++j) at[j] = t.o[j] + d;
  const auto values = head.Values(d);
  constexpr int64_t kStep = decltype(values)::kStep;
  const uint8_t* ahead =
      order.Ahead((a.slice.head_dim + d) / 16 * kKvTile * kStep);
  if constexpr (kAttentionCopies && kType != KvType::kF32) {
    static_assert(kTiles == 1, "the copy has room for one tile");
    ValueTiles<kTiles>(t.count, t.s, t.fix,
                       CopyValues(values, t.low, t.high, ahead, a.scratch),
                       t.low, t.high, ahead, at);
  } else {
    ValueTiles<kTiles>(t.count, t.s, t.fix, values, t.low, t.high, ahead, at);
  }
}

template <KvType kType>
inline void PartialTile(const AttentionOps::Partial& a, int64_t tile) {
  const int64_t dim = a.slice.head_dim;
  // Behind the copy of a tile of keys [head_dim][16] or values [kKvTile][16].
  float* scores =
      a.scratch + 16 * (dim > kKvTile ? dim : kKvTile);  // [count][kKvTile]
  TileQueries t = SelectQueries(a, tile, scores);
  if (t.count == 0) return;
  const PageOrder order = OrderOf(a, t, tile);
  const KvHead<kType> head =
      HeadOf<kType>(order.head, dim, scores + kMaxQueries * kKvTile);

  int sub = t.low / 16;
  const int subs = (t.high + 15) / 16;
  for (; sub + kAttentionTiles <= subs; sub += kAttentionTiles) {
    ScoreKeys<kType, kAttentionTiles>(a, t, head, order, sub);
  }
  for (; sub < subs; ++sub) ScoreKeys<kType, 1>(a, t, head, order, sub);
  for (int j = 0; j < t.count; ++j) {
    // Sub-tiles outside [low, high) were not scored; give them finite bytes.
    for (int i = 0; i < t.low / 16 * 16; ++i) t.s[j][i] = 0.0f;
    for (int i = (t.high + 15) / 16 * 16; i < kKvTile; ++i) t.s[j][i] = 0.0f;
    const int row = t.index[j];
    t.fix[j] = SoftmaxTile(t.s[j], t.first[j], t.last[j], a.scale, a.softcap,
                           a.m + row, a.l + row);
  }
  int64_t d = 0;
  for (; d + 16 * kAttentionTiles <= dim; d += 16 * kAttentionTiles) {
    AddValues<kType, kAttentionTiles>(a, t, head, order, d);
  }
  for (; d < dim; d += 16) AddValues<kType, 1>(a, t, head, order, d);
}

inline void PartialImpl(const AttentionOps::Partial& a) {
  for (int j = 0; j < a.count; ++j) {
    a.m[j] = -__builtin_inff();
    a.l[j] = 0.0f;  // o is not read before the first tile has set it
  }
  for (int64_t tile = a.split_begin; tile < a.split_end; tile += kKvTile) {
    switch (a.slice.type) {
      case KvType::kF32:
        PartialTile<KvType::kF32>(a, tile);
        break;
      case KvType::kF16:
        PartialTile<KvType::kF16>(a, tile);
        break;
      case KvType::kQ8:
        PartialTile<KvType::kQ8>(a, tile);
        break;
    }
  }
}

inline void MergeImpl(float m2, float l2, const float* o2, int64_t n, float* m,
                      float* l, float* o) {
  if (l2 == 0.0f) return;  // the row sees nothing of this split
  if (*l == 0.0f) {
    *m = m2;
    *l = l2;
    for (int64_t i = 0; i < n; i += 16) Store(Load(o2 + i), o + i);
    return;
  }
  const float top = m2 > *m ? m2 : *m;
  const float a = ExpImpl(*m - top), b = ExpImpl(m2 - top);
  *l = __builtin_fmaf(*l, a, l2 * b);
  *m = top;
  const F32x16 va = Set(a), vb = Set(b);
  for (int64_t i = 0; i < n; i += 16) {
    Store(Fma(Load(o + i), va, Mul(Load(o2 + i), vb)), o + i);
  }
}

inline void FinishImpl(const float* o, float l, int64_t n, float* out) {
  const F32x16 total = Set(l);
  for (int64_t i = 0; i < n; i += 16) Store(Div(Load(o + i), total), out + i);
}

constexpr AttentionOps kAttentionOps = {PartialImpl, MergeImpl, FinishImpl};
