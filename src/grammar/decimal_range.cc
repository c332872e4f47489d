#include "grammar/decimal_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace carat {
namespace {

constexpr uint64_t kMaxMagnitude = 999999999999999999;  // 18 digits
constexpr int kExactDigits = 15;  // decimal digits a double keeps apart
constexpr uint64_t kMaxExact = 999999999999999;
constexpr int64_t kMaxMultiple = 1000;

class DecimalWriter {
 public:
  explicit DecimalWriter(ExprBuilder* builder) : b_(*builder) {}

  Expr Digit(int lo, int hi) {
    if (lo > hi) return b_.Never();
    return b_.Chars(CharClass(
        {{static_cast<char32_t>('0' + lo), static_cast<char32_t>('0' + hi)}}));
  }
  Expr Digits(int min, int max) { return b_.Repeat(Digit(0, 9), min, max); }

  // lo..hi without leading zeros.
  Expr Range(uint64_t lo, uint64_t hi) {
    if (lo > hi) return b_.Never();
    std::vector<Expr> choices;
    const std::string last = std::to_string(hi);
    std::string first = std::to_string(lo);
    while (first.size() < last.size()) {
      const size_t size = first.size();
      choices.push_back(SameLength(first, std::string(size, '9')));
      first = "1" + std::string(size, '0');
    }
    choices.push_back(SameLength(first, last));
    return b_.Alt(std::move(choices));
  }

 private:
  Expr SameLength(std::string_view lo, std::string_view hi) {
    if (lo.empty()) return b_.Empty();
    const int n = static_cast<int>(lo.size()) - 1;
    const std::string nines(lo.size() - 1, '9'), zeros(lo.size() - 1, '0');
    const int a = lo[0] - '0', z = hi[0] - '0';
    const std::string_view lo_rest = lo.substr(1), hi_rest = hi.substr(1);
    if (a == z) return b_.Seq({Digit(a, a), SameLength(lo_rest, hi_rest)});
    const bool low_full = lo_rest == zeros, high_full = hi_rest == nines;
    std::vector<Expr> choices;
    if (!low_full) {
      choices.push_back(b_.Seq({Digit(a, a), SameLength(lo_rest, nines)}));
    }
    choices.push_back(b_.Seq(
        {Digit(low_full ? a : a + 1, high_full ? z : z - 1), Digits(n, n)}));
    if (!high_full) {
      choices.push_back(b_.Seq({Digit(z, z), SameLength(zeros, hi_rest)}));
    }
    return b_.Alt(std::move(choices));
  }

 protected:
  ExprBuilder& b_;
};

// A number at least 0 as its digits.
struct Decimal {
  uint64_t whole = 0;
  std::string fraction;  // without zeros at its end
  bool strict = false;
  bool IsZero() const { return whole == 0 && fraction.empty(); }
};

// The shortest decimal that reads back as |value|. Values of 10^15 and more
// come out as kMaxExact + 1.
Decimal DecimalOf(const Json& value, bool strict) {
  Decimal out;
  out.strict = strict;
  if (value.is_int()) {
    const int64_t v = value.as_int();
    out.whole = v < 0 ? 0 - static_cast<uint64_t>(v) : static_cast<uint64_t>(v);
    out.whole = std::min(out.whole, kMaxExact + 1);
    return out;
  }
  const double magnitude = std::fabs(value.as_double());
  if (!(magnitude < 1e15)) {
    out.whole = kMaxExact + 1;
    return out;
  }
  // d.ddde-xx: take the digits and place the point.
  std::string shortest;
  for (int precision = 0; precision <= 17; ++precision) {
    shortest = fmt::format("{:.{}e}", magnitude, precision);
    double back = 0;
    std::from_chars(shortest.data(), shortest.data() + shortest.size(), back);
    if (back == magnitude) break;
  }
  const size_t e = shortest.find('e');
  const int exponent = std::stoi(shortest.substr(e + 1));
  std::string digits;
  for (char c : shortest.substr(0, e)) {
    if (c != '.') digits.push_back(c);
  }
  const int point = exponent + 1;  // digits before the point
  if (point <= 0) {
    out.fraction = std::string(static_cast<size_t>(-point), '0') + digits;
  } else {
    digits.resize(std::max(digits.size(), static_cast<size_t>(point)), '0');
    out.whole = std::stoull(digits.substr(0, static_cast<size_t>(point)));
    out.fraction = digits.substr(static_cast<size_t>(point));
  }
  while (!out.fraction.empty() && out.fraction.back() == '0') {
    out.fraction.pop_back();
  }
  return out;
}

class NumberWriter : public DecimalWriter {
 public:
  using DecimalWriter::DecimalWriter;

  // lo <= x <= hi (or < where strict), all at least 0; no `hi` means open.
  Expr Between(const Decimal& lo, const std::optional<Decimal>& hi) {
    const uint64_t top = hi ? std::min(hi->whole, kMaxExact) : kMaxExact;
    const uint64_t widest = hi && hi->whole <= kMaxExact ? top : lo.whole;
    const int whole_digits =
        static_cast<int>(std::to_string(std::max(lo.whole, widest)).size());
    places_ = std::max(1, kExactDigits - whole_digits);
    lo_ = &lo;
    hi_ = hi && hi->whole <= kMaxExact ? &*hi : nullptr;
    if (lo.whole > top) return b_.Never();
    if (hi_ != nullptr && lo.whole == hi_->whole) {
      return With(lo.whole, true, true);
    }
    std::vector<Expr> choices = {With(lo.whole, true, false)};
    if (hi_ == nullptr) {
      choices.push_back(
          b_.Seq({Range(lo.whole + 1, top), Fraction(false, false)}));
    } else {
      if (lo.whole + 1 < top) {
        choices.push_back(
            b_.Seq({Range(lo.whole + 1, top - 1), Fraction(false, false)}));
      }
      choices.push_back(With(top, false, true));
    }
    return b_.Alt(std::move(choices));
  }

 private:
  Expr With(uint64_t whole, bool low, bool high) {
    return b_.Seq({b_.Bytes(std::to_string(whole)), Fraction(low, high)});
  }
  // What follows the whole part; `low` and `high` say that the digits so far
  // equal those of that bound.
  Expr Fraction(bool low, bool high) {
    std::vector<Expr> choices;
    if (MayStop(0, low, high)) choices.push_back(b_.Empty());
    choices.push_back(b_.Seq({b_.Bytes("."), More(0, low, high)}));
    return b_.Alt(std::move(choices));
  }
  bool MayStop(size_t i, bool low, bool high) const {
    const bool low_ok = !low || (i >= lo_->fraction.size() && !lo_->strict);
    const bool high_ok = !high || i < hi_->fraction.size() || !hi_->strict;
    return low_ok && high_ok;
  }
  static int DigitAt(const Decimal& decimal, size_t i) {
    return i < decimal.fraction.size() ? decimal.fraction[i] - '0' : 0;
  }
  Expr Rest(size_t i, bool low, bool high) {
    if (low && i >= lo_->fraction.size() && !lo_->strict) low = false;
    const int left = places_ - static_cast<int>(i);
    if (!low && !high) return Digits(0, left);
    const Expr more = More(i, low, high);
    return MayStop(i, low, high) ? b_.Alt({b_.Empty(), more}) : more;
  }
  // At least one more digit.
  Expr More(size_t i, bool low, bool high) {
    const int left = places_ - static_cast<int>(i);
    if (left <= 0) return b_.Never();
    if (!low && !high) return Digits(1, left);
    const int from = low ? DigitAt(*lo_, i) : 0;
    const int to = high ? DigitAt(*hi_, i) : 9;
    if (from > to) return b_.Never();
    if (from == to) {
      return b_.Seq({Digit(from, to), Rest(i + 1, low, high)});
    }
    std::vector<Expr> choices;
    if (low)
      choices.push_back(b_.Seq({Digit(from, from), Rest(i + 1, true, false)}));
    if (high)
      choices.push_back(b_.Seq({Digit(to, to), Rest(i + 1, false, true)}));
    choices.push_back(b_.Seq({Digit(low ? from + 1 : from, high ? to - 1 : to),
                              Digits(0, left - 1)}));
    return b_.Alt(std::move(choices));
  }

  const Decimal* lo_ = nullptr;
  const Decimal* hi_ = nullptr;
  int places_ = 1;
};

bool IsNegative(const Json& number) {
  return number.is_int() ? number.as_int() < 0 : number.as_double() < 0;
}

// The smallest whole number at least (above, if exclusive) the bound, clamped
// to the 64-bit range; `up` false: the largest at most (below) it.
int64_t WholeBound(const NumberBound& bound, bool up) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t whole = 0;
  bool exact = true;
  if (bound.value.is_int()) {
    whole = bound.value.as_int();
  } else {
    const double d = bound.value.as_double();
    const double rounded = up ? std::ceil(d) : std::floor(d);
    if (rounded >= 9.2e18) return kMax;
    if (rounded <= -9.2e18) return kMin;
    whole = static_cast<int64_t>(rounded);
    exact = rounded == d;
  }
  if (!bound.exclusive || !exact) return whole;
  if (up) return whole == kMax ? kMax : whole + 1;
  return whole == kMin ? kMin : whole - 1;
}

// Numerals whose value is a multiple of `k`.
Dfa MultiplesOf(uint32_t k) {
  // 0 start, 1 after the sign, 2 + r: digits so far leave r.
  Dfa dfa;
  for (uint32_t s = 0; s < k + 2; ++s) {
    DfaState state;
    state.first_byte = static_cast<uint32_t>(dfa.bytes.size());
    state.accept = s == 2;
    if (s == 0) dfa.bytes.push_back({'-', '-', 0, 1});
    const uint32_t r = s < 2 ? 0 : s - 2;
    for (uint32_t d = 0; d < 10; ++d) {
      const uint8_t byte = static_cast<uint8_t>('0' + d);
      dfa.bytes.push_back({byte, byte, 0, 2 + (r * 10 + d) % k});
    }
    state.bytes = static_cast<uint32_t>(dfa.bytes.size()) - state.first_byte;
    dfa.states.push_back(state);
  }
  return dfa;
}

}  // namespace

int CompareNumbers(const Json& a, const Json& b) {
  if (a.is_int() && b.is_int()) {
    return a.as_int() < b.as_int() ? -1 : a.as_int() > b.as_int() ? 1 : 0;
  }
  auto wide = [](const Json& n) {
    return n.is_int() ? static_cast<long double>(n.as_int())
                      : static_cast<long double>(n.as_double());
  };
  return wide(a) < wide(b) ? -1 : wide(a) > wide(b) ? 1 : 0;
}

Result<Expr> IntegerExpr(const NumberBounds& bounds, ExprBuilder* builder) {
  int64_t lo = -static_cast<int64_t>(kMaxMagnitude);
  int64_t hi = static_cast<int64_t>(kMaxMagnitude);
  if (bounds.lower) {
    lo = WholeBound(*bounds.lower, true);
    if (!bounds.upper && lo > hi) hi = std::numeric_limits<int64_t>::max();
  }
  if (bounds.upper) {
    hi = WholeBound(*bounds.upper, false);
    if (!bounds.lower && hi < lo) lo = std::numeric_limits<int64_t>::min();
  }
  if (lo > hi) return builder->Never();
  DecimalWriter writer(builder);
  std::vector<Expr> choices;
  if (hi >= 0) {
    choices.push_back(
        writer.Range(static_cast<uint64_t>(std::max<int64_t>(lo, 0)),
                     static_cast<uint64_t>(hi)));
  }
  if (lo < 0) {
    const uint64_t near = hi < 0 ? 0 - static_cast<uint64_t>(hi) : 1;
    const uint64_t far = 0 - static_cast<uint64_t>(lo);
    choices.push_back(
        builder->Seq({builder->Bytes("-"), writer.Range(near, far)}));
  }
  const Expr range = builder->Alt(std::move(choices));
  if (bounds.multiple_of <= 1) return range;
  if (bounds.multiple_of > kMaxMultiple) {
    return Unsupported(
        fmt::format("multipleOf {} is not supported; whole numbers up to {} "
                    "are.",
                    bounds.multiple_of, kMaxMultiple));
  }
  CARAT_ASSIGN_OR_RETURN(const Dfa plain, builder->Compile(range, {}, {}));
  CARAT_ASSIGN_OR_RETURN(
      Dfa both,
      Intersect(plain, MultiplesOf(static_cast<uint32_t>(bounds.multiple_of)),
                50000));
  return builder->Automaton(std::make_shared<const Dfa>(std::move(both)),
                            Spelling::kRaw);
}

namespace {

Expr UnboundedNumber(ExprBuilder* b) {
  DecimalWriter w(b);
  const Expr sign = b->Optional(b->Bytes("-"));
  const Expr whole =
      b->Alt({b->Bytes("0"), b->Seq({w.Digit(1, 9), w.Digits(0, 17)})});
  const Expr fraction = b->Optional(b->Seq({b->Bytes("."), w.Digits(1, 17)}));
  // At most 9.9...e307, so that every reader gets a finite double.
  const Expr scientific = b->Seq(
      {w.Digit(0, 9), fraction, b->Chars(CharClass({{'e', 'e'}, {'E', 'E'}})),
       b->Optional(b->Chars(CharClass({{'+', '+'}, {'-', '-'}}))),
       b->Alt({w.Digits(1, 2), b->Seq({w.Digit(1, 2), w.Digits(2, 2)}),
               b->Seq({b->Bytes("30"), w.Digit(0, 7)})})});
  return b->Seq({sign, b->Alt({b->Seq({whole, fraction}), scientific})});
}

}  // namespace

Result<Expr> NumberExpr(const NumberBounds& bounds, ExprBuilder* builder) {
  if (bounds.multiple_of != 0) return IntegerExpr(bounds, builder);
  if (!bounds.lower && !bounds.upper) return UnboundedNumber(builder);
  NumberWriter writer(builder);
  std::vector<Expr> choices;
  const std::optional<NumberBound>& lower = bounds.lower;
  const std::optional<NumberBound>& upper = bounds.upper;
  if (!upper || !IsNegative(upper->value)) {
    Decimal lo;
    if (lower && !IsNegative(lower->value)) {
      lo = DecimalOf(lower->value, lower->exclusive);
    }
    if (lo.whole > kMaxExact) {
      return Unsupported(
          "A minimum of 10^15 or more is not supported for "
          "\"number\"; use \"integer\".");
    }
    std::optional<Decimal> hi;
    if (upper) hi = DecimalOf(upper->value, upper->exclusive);
    choices.push_back(writer.Between(lo, hi));
  }
  if (!lower || IsNegative(lower->value)) {
    // Magnitudes; zero is written without a sign, by the other half.
    Decimal lo;
    lo.strict = true;
    if (upper && IsNegative(upper->value)) {
      lo = DecimalOf(upper->value, upper->exclusive);
    }
    if (lo.whole > kMaxExact) {
      return Unsupported(
          "A maximum of -10^15 or less is not supported for "
          "\"number\"; use \"integer\".");
    }
    std::optional<Decimal> hi;
    if (lower) hi = DecimalOf(lower->value, lower->exclusive);
    choices.push_back(
        builder->Seq({builder->Bytes("-"), writer.Between(lo, hi)}));
  }
  return builder->Alt(std::move(choices));
}

}  // namespace carat
