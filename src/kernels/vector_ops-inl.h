// The vector kernels themselves, over F32x16. Included once per instruction
// set, inside `namespace carat::ISA`, where F32x16 and its operations are
// defined. No include guard: it is meant to be included several times in
// different translation units and namespaces.

inline F32x16 LoadPart(const float* p, int64_t n) {
  if (n >= 16) return Load(p);
  float padded[16] = {};
  for (int64_t i = 0; i < n; ++i) padded[i] = p[i];
  return Load(padded);
}

inline void StorePart(F32x16 a, int64_t n, float* p) {
  if (n >= 16) return Store(a, p);
  float padded[16];
  Store(a, padded);
  for (int64_t i = 0; i < n; ++i) p[i] = padded[i];
}

// e^x: x = n ln 2 + r, |r| <= ln2 / 2; 2^n times a polynomial in r.
// Coefficients: 1/k! adjusted to minimise the relative error on the interval.
inline F32x16 ExpV(F32x16 x) {
  const F32x16 lowest = Set(-87.33654f);
  F32x16 c = Min(x, Set(88.0f));
  c = Max(c, lowest);
  const F32x16 n = Round(Mul(c, Set(1.44269504088896341f)));
  F32x16 r = Fnma(n, Set(0.693359375f), c);
  r = Fnma(n, Set(-2.12194440e-4f), r);
  F32x16 p = Set(1.9875691500e-4f);
  p = Fma(p, r, Set(1.3981999507e-3f));
  p = Fma(p, r, Set(8.3334519073e-3f));
  p = Fma(p, r, Set(4.1665795894e-2f));
  p = Fma(p, r, Set(1.6666665459e-1f));
  p = Fma(p, r, Set(5.0000001201e-1f));
  p = Fma(p, Mul(r, r), Add(r, Set(1.0f)));
  const F32x16 y = Mul(p, Pow2(Max(n, Set(-126.0f))));
  return IfLess(x, lowest, Set(0.0f), y);
}

// tanh: an odd polynomial near zero, (1 - e) / (1 + e) with e = exp(-2|x|)
// elsewhere.
inline F32x16 TanhV(F32x16 x) {
  const F32x16 a = Abs(x);
  const F32x16 e = ExpV(Mul(a, Set(-2.0f)));
  const F32x16 large = CopySign(Div(Sub(Set(1.0f), e), Add(Set(1.0f), e)), x);
  const F32x16 z = Mul(x, x);
  F32x16 p = Set(-5.70498872745e-3f);
  p = Fma(p, z, Set(2.06390887954e-2f));
  p = Fma(p, z, Set(-5.37397155531e-2f));
  p = Fma(p, z, Set(1.33314422036e-1f));
  p = Fma(p, z, Set(-3.33332819422e-1f));
  const F32x16 small = Fma(Mul(p, z), x, x);
  return IfLess(a, Set(0.625f), small, large);
}

inline void RmsNormImpl(const float* x, const float* weight, int64_t n,
                        float eps, float* out) {
  F32x16 squares = Set(0.0f);
  for (int64_t i = 0; i < n; i += 16) {
    const F32x16 v = LoadPart(x + i, n - i);
    squares = Fma(v, v, squares);
  }
  const float mean = Sum(squares) / static_cast<float>(n);
  const float scale = 1.0f / __builtin_sqrtf(mean + eps);
  const F32x16 s = Set(scale);
  for (int64_t i = 0; i < n; i += 16) {
    F32x16 v = Mul(LoadPart(x + i, n - i), s);
    if (weight != nullptr) v = Mul(v, LoadPart(weight + i, n - i));
    StorePart(v, n - i, out + i);
  }
}

inline void GatedGeluImpl(const float* gate, const float* up, int64_t n,
                          float* out) {
  const F32x16 minus_two_root = Set(-2.0f * 0.7978845608028654f);
  for (int64_t i = 0; i < n; i += 16) {
    const F32x16 g = LoadPart(gate + i, n - i);
    const F32x16 cubic = Fma(Mul(Mul(g, g), g), Set(0.044715f), g);
    const F32x16 e = ExpV(Mul(cubic, minus_two_root));
    const F32x16 gelu = Div(g, Add(Set(1.0f), e));
    StorePart(Mul(gelu, LoadPart(up + i, n - i)), n - i, out + i);
  }
}

inline void AddImpl(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; i += 16) {
    StorePart(Add(LoadPart(y + i, n - i), LoadPart(x + i, n - i)), n - i,
              y + i);
  }
}

inline void AddScaledImpl(const float* x, float scale, int64_t n, float* y) {
  const F32x16 s = Set(scale);
  for (int64_t i = 0; i < n; i += 16) {
    StorePart(Fma(LoadPart(x + i, n - i), s, LoadPart(y + i, n - i)), n - i,
              y + i);
  }
}

inline void ScaleImpl(float scale, int64_t n, float* y) {
  const F32x16 s = Set(scale);
  for (int64_t i = 0; i < n; i += 16) {
    StorePart(Mul(LoadPart(y + i, n - i), s), n - i, y + i);
  }
}

inline void AddThenScaleImpl(const float* x, float scale, int64_t n, float* y) {
  const F32x16 s = Set(scale);
  for (int64_t i = 0; i < n; i += 16) {
    const F32x16 sum = Add(LoadPart(y + i, n - i), LoadPart(x + i, n - i));
    StorePart(Mul(sum, s), n - i, y + i);
  }
}

inline void SoftcapImpl(float cap, int64_t n, float* y) {
  const F32x16 c = Set(cap);
  for (int64_t i = 0; i < n; i += 16) {
    const F32x16 v = Div(LoadPart(y + i, n - i), c);
    StorePart(Mul(TanhV(v), c), n - i, y + i);
  }
}

inline void SoftmaxImpl(int64_t n, float* y) {
  float top = y[0];
  for (int64_t i = 0; i < n; i += 16) {
    // A partial vector repeats y[0] in its empty lanes.
    float lanes[16];
    for (int64_t j = 0; j < 16; ++j) lanes[j] = i + j < n ? y[i + j] : y[0];
    const float m = MaxOf(Load(lanes));
    top = m > top ? m : top;
  }
  F32x16 total = Set(0.0f);
  for (int64_t i = 0; i < n; i += 16) {
    const F32x16 e = ExpV(Sub(LoadPart(y + i, n - i), Set(top)));
    StorePart(e, n - i, y + i);
    total = Add(total, LoadPart(y + i, n - i));
  }
  const F32x16 sum = Set(Sum(total));
  for (int64_t i = 0; i < n; i += 16) {
    StorePart(Div(LoadPart(y + i, n - i), sum), n - i, y + i);
  }
}

inline void RopeImpl(const float* cos, const float* sin, int64_t half,
                     float* x) {
  for (int64_t i = 0; i < half; i += 16) {
    const int64_t n = half - i;
    const F32x16 c = LoadPart(cos + i, n), s = LoadPart(sin + i, n);
    const F32x16 a = LoadPart(x + i, n), b = LoadPart(x + half + i, n);
    StorePart(Fnma(b, s, Mul(a, c)), n, x + i);
    StorePart(Fma(a, s, Mul(b, c)), n, x + half + i);
  }
}

inline void ToHalfImpl(const float* x, int64_t n, uint16_t* out) {
  for (int64_t i = 0; i < n; i += 16) {
    // Beyond binary16's range the largest finite value stands in: an infinity
    // would turn masked products into NaN.
    const F32x16 v =
        Max(Min(LoadPart(x + i, n - i), Set(65504.0f)), Set(-65504.0f));
    if (n - i >= 16) {
      StoreHalf(v, out + i);
    } else {
      uint16_t padded[16];
      StoreHalf(v, padded);
      for (int64_t j = 0; j < n - i; ++j) out[i + j] = padded[j];
    }
  }
}

inline float ExpImpl(float x) {
  float lanes[16];
  Store(ExpV(Set(x)), lanes);
  return lanes[0];
}

constexpr VectorOps kVectorOps = {
    RmsNormImpl, GatedGeluImpl,    AddImpl,     AddScaledImpl,
    ScaleImpl,   AddThenScaleImpl, SoftcapImpl, SoftmaxImpl,
    RopeImpl,    ToHalfImpl,       ExpImpl,
};
