// Attention's inner kernels over F32x16. Included once per instruction set,
// inside `namespace carat::ISA`, after vector_ops-inl.h and these constants. No
// include guard.
//   kAttentionRows    queries that share a load of keys or values
//   kAttentionTiles   tiles of 16 positions or dimensions at once
//   kAttentionCopies  f16 is converted once per tile into memory, not once per
//                     kAttentionRows queries in registers

// Loads 16 cache elements at element offset `at` of a slice.
template <KvType kType>
inline F32x16 LoadKv(const uint8_t* base, int64_t at) {
  if constexpr (kType == KvType::kF32) {
    return Load(reinterpret_cast<const float*>(base) + at);
  } else {
    return LoadHalf(reinterpret_cast<const uint16_t*>(base) + at);
  }
}

// Where tiles find keys or values: the cache itself, or a copy in f32.
template <KvType kType>
struct KvSource {
  const uint8_t* base;
  int64_t at;      // element offset of the first tile
  int64_t stride;  // elements between tiles
  F32x16 operator()(int tile, int64_t i) const {
    return LoadKv<kType>(base, at + tile * stride + i * 16);
  }
};

// scores[j][16u .. 16u + 16) = q[j] . K for the positions of kTiles tiles.
template <int kCount, int kTiles, class Source>
inline void ScoreTile(const float* const* q, const Source& k, int64_t head_dim,
                      float* const* scores) {
  F32x16 acc[kCount][kTiles];
  CARAT_UNROLL
  for (int j = 0; j < kCount; ++j) {
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) acc[j][u] = Set(0.0f);
  }
  for (int64_t d = 0; d < head_dim; ++d) {
    F32x16 kd[kTiles];
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) kd[u] = k(u, d);
    CARAT_UNROLL
    for (int j = 0; j < kCount; ++j) {
      const F32x16 qd = Set(q[j][d]);
      CARAT_UNROLL
      for (int u = 0; u < kTiles; ++u) acc[j][u] = Fma(qd, kd[u], acc[j][u]);
    }
  }
  CARAT_UNROLL
  for (int j = 0; j < kCount; ++j) {
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) Store(acc[j][u], scores[j] + u * 16);
  }
}

// o[j][16u .. 16u + 16) = o[j] * fix[j] + p[j] . V over positions
// [first, last) for the dimensions of kTiles tiles.
template <int kCount, int kTiles, class Source>
inline void ValueTile(const float* const* p, const float* fix, const Source& v,
                      int first, int last, float* const* o) {
  F32x16 acc[kCount][kTiles];
  CARAT_UNROLL
  for (int j = 0; j < kCount; ++j) {
    CARAT_UNROLL
    for (int u = 0; u < kTiles; ++u) {
      acc[j][u] = Mul(Load(o[j] + u * 16), Set(fix[j]));
    }
  }
  for (int t = first; t < last; ++t) {
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
                       int64_t head_dim, float* const* scores) {
  for (; count >= kRows; count -= kRows, q += kRows, scores += kRows) {
    ScoreTile<kRows, kTiles>(q, k, head_dim, scores);
  }
  if constexpr (kRows > 1) {
    if (count > 0) {
      ScoreTiles<kTiles, kRows - 1>(count, q, k, head_dim, scores);
    }
  }
}

template <int kTiles, int kRows = kAttentionRows, class Source>
inline void ValueTiles(int count, const float* const* p, const float* fix,
                       const Source& v, int first, int last, float* const* o) {
  for (; count >= kRows; count -= kRows, p += kRows, fix += kRows, o += kRows) {
    ValueTile<kRows, kTiles>(p, fix, v, first, last, o);
  }
  if constexpr (kRows > 1) {
    if (count > 0) {
      ValueTiles<kTiles, kRows - 1>(count, p, fix, v, first, last, o);
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

// Scores of kTiles tiles of keys from sub-tile `sub` on.
template <KvType kType, int kTiles>
inline void ScoreKeys(const AttentionOps::Partial& a, const TileQueries& t,
                      const KvSource<kType>& keys, int sub) {
  const int64_t dim = a.slice.head_dim;
  float* at[kMaxQueries];
  for (int j = 0; j < t.count; ++j) at[j] = t.s[j] + sub * 16;
  const KvSource<kType> k = {keys.base, keys.at + sub * keys.stride,
                             keys.stride};
  if constexpr (kAttentionCopies && kType != KvType::kF32) {
    static_assert(kTiles == 1, "the copy has room for one tile");
    for (int64_t d = 0; d < dim; ++d) Store(k(0, d), a.scratch + d * 16);
    const KvSource<KvType::kF32> copy = {
        reinterpret_cast<const uint8_t*>(a.scratch), 0, 0};
    ScoreTiles<kTiles>(t.count, t.q, copy, dim, at);
  } else {
    ScoreTiles<kTiles>(t.count, t.q, k, dim, at);
  }
}

// Adds kTiles tiles of values from dimension `d` on.
template <KvType kType, int kTiles>
inline void AddValues(const AttentionOps::Partial& a, const TileQueries& t,
                      const KvSource<kType>& values, int64_t d) {
  float* at[kMaxQueries];
  for (int j = 0; j < t.count; ++j) at[j] = t.o[j] + d;
  const KvSource<kType> v = {values.base, values.at + d / 16 * values.stride,
                             values.stride};
  if constexpr (kAttentionCopies && kType != KvType::kF32) {
    static_assert(kTiles == 1, "the copy has room for one tile");
    for (int i = t.low; i < t.high; ++i) Store(v(0, i), a.scratch + i * 16);
    const KvSource<KvType::kF32> copy = {
        reinterpret_cast<const uint8_t*>(a.scratch), 0, 0};
    ValueTiles<kTiles>(t.count, t.s, t.fix, copy, t.low, t.high, at);
  } else {
    ValueTiles<kTiles>(t.count, t.s, t.fix, v, t.low, t.high, at);
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
  const int64_t head = kKvTile * dim;  // elements of one head's K or V
  const uint8_t* base =
      a.rows[t.index[0]]->pages[tile / kKvTile] + a.slice.offset_bytes;
  const int64_t k_at = 2 * head * a.kv_head;
  const KvSource<kType> keys = {base, k_at, dim * 16};
  const KvSource<kType> values = {base, k_at + head, kKvTile * 16};

  int sub = t.low / 16;
  const int subs = (t.high + 15) / 16;
  for (; sub + kAttentionTiles <= subs; sub += kAttentionTiles) {
    ScoreKeys<kType, kAttentionTiles>(a, t, keys, sub);
  }
  for (; sub < subs; ++sub) ScoreKeys<kType, 1>(a, t, keys, sub);
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
    AddValues<kType, kAttentionTiles>(a, t, values, d);
  }
  for (; d < dim; d += 16) AddValues<kType, 1>(a, t, values, d);
}

inline void PartialImpl(const AttentionOps::Partial& a) {
  for (int j = 0; j < a.count; ++j) {
    a.m[j] = -__builtin_inff();
    a.l[j] = 0.0f;
    for (int64_t d = 0; d < a.slice.head_dim; ++d) a.o[j][d] = 0.0f;
  }
  for (int64_t tile = a.split_begin; tile < a.split_end; tile += kKvTile) {
    if (a.slice.type == KvType::kF32) {
      PartialTile<KvType::kF32>(a, tile);
    } else {
      PartialTile<KvType::kF16>(a, tile);
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
