// Attention's inner kernels over F32x16. Included once per instruction set,
// inside `namespace carat::ISA`, after vector_ops-inl.h. No include guard.

// Loads 16 cache elements at element offset `at` of a slice.
template <KvType kType>
inline F32x16 LoadKv(const uint8_t* base, int64_t at) {
  if constexpr (kType == KvType::kF32) {
    return Load(reinterpret_cast<const float*>(base) + at);
  } else {
    return LoadHalf(reinterpret_cast<const uint16_t*>(base) + at);
  }
}

// scores[j][0..16) = q[j] . K for the 16 positions of `k` [head_dim][16] f32.
template <int kCount>
inline void ScoreTile(const float* const* q, const float* k, int64_t head_dim,
                      float* const* scores) {
  F32x16 acc[kCount];
  for (int j = 0; j < kCount; ++j) acc[j] = Set(0.0f);
  for (int64_t d = 0; d < head_dim; ++d) {
    const F32x16 kd = Load(k + d * 16);
    for (int j = 0; j < kCount; ++j) acc[j] = Fma(Set(q[j][d]), kd, acc[j]);
  }
  for (int j = 0; j < kCount; ++j) Store(acc[j], scores[j]);
}

// o[j][0..16) = o[j] * fix[j] + p[j] . V over positions [first, last) of
// `v` [kKvTile][16] f32.
template <int kCount>
inline void ValueTile(const float* const* p, const float* fix, const float* v,
                      int first, int last, float* const* o) {
  F32x16 acc[kCount];
  for (int j = 0; j < kCount; ++j) acc[j] = Mul(Load(o[j]), Set(fix[j]));
  for (int t = first; t < last; ++t) {
    const F32x16 vt = Load(v + t * 16);
    for (int j = 0; j < kCount; ++j) acc[j] = Fma(Set(p[j][t]), vt, acc[j]);
  }
  for (int j = 0; j < kCount; ++j) Store(acc[j], o[j]);
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

// Runs F<n>(args shifted by start) over `count` items, four at a time.
#define CARAT_BY_FOURS(count, call)       \
  for (int start = 0; start < (count);) { \
    const int left = (count) - start;     \
    if (left >= 4) {                      \
      constexpr int kN = 4;               \
      call;                               \
      start += 4;                         \
    } else if (left == 3) {               \
      constexpr int kN = 3;               \
      call;                               \
      start += 3;                         \
    } else if (left == 2) {               \
      constexpr int kN = 2;               \
      call;                               \
      start += 2;                         \
    } else {                              \
      constexpr int kN = 1;               \
      call;                               \
      start += 1;                         \
    }                                     \
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

template <KvType kType>
inline void PartialTile(const AttentionOps::Partial& a, int64_t tile) {
  const int64_t dim = a.slice.head_dim;
  float* k_tile = a.scratch;              // [head_dim][16]
  float* v_tile = k_tile + 16 * dim;      // [kKvTile][16]
  float* scores = v_tile + 16 * kKvTile;  // [count][kKvTile]
  TileQueries t = SelectQueries(a, tile, scores);
  if (t.count == 0) return;
  const int64_t head = kKvTile * dim;  // elements of one head's K or V
  const uint8_t* base =
      a.rows[t.index[0]]->pages[tile / kKvTile] + a.slice.offset_bytes;
  const int64_t k_at = 2 * head * a.kv_head;
  const int64_t v_at = k_at + head;

  for (int sub = t.low / 16; sub * 16 < t.high; ++sub) {
    for (int64_t d = 0; d < dim; ++d) {
      Store(LoadKv<kType>(base, k_at + (sub * dim + d) * 16), k_tile + d * 16);
    }
    float* at[kMaxQueries];
    for (int j = 0; j < t.count; ++j) at[j] = t.s[j] + sub * 16;
    CARAT_BY_FOURS(t.count,
                   ScoreTile<kN>(t.q + start, k_tile, dim, at + start));
  }
  for (int j = 0; j < t.count; ++j) {
    // Sub-tiles outside [low, high) were not scored; give them finite bytes.
    for (int i = 0; i < t.low / 16 * 16; ++i) t.s[j][i] = 0.0f;
    for (int i = (t.high + 15) / 16 * 16; i < kKvTile; ++i) t.s[j][i] = 0.0f;
    const int row = t.index[j];
    t.fix[j] = SoftmaxTile(t.s[j], t.first[j], t.last[j], a.scale, a.softcap,
                           a.m + row, a.l + row);
  }
  for (int64_t d = 0; d < dim; d += 16) {
    for (int i = t.low; i < t.high; ++i) {
      Store(LoadKv<kType>(base, v_at + (d / 16 * kKvTile + i) * 16),
            v_tile + i * 16);
    }
    float* at[kMaxQueries];
    for (int j = 0; j < t.count; ++j) at[j] = t.o[j] + d;
    const float* const* p = t.s;
    CARAT_BY_FOURS(t.count, ValueTile<kN>(p + start, t.fix + start, v_tile,
                                          t.low, t.high, at + start));
  }
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

#undef CARAT_BY_FOURS
