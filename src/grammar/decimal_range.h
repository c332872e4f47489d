// Decimal numbers within bounds, as expressions over their digits.
#ifndef CARAT_GRAMMAR_DECIMAL_RANGE_H_
#define CARAT_GRAMMAR_DECIMAL_RANGE_H_

#include <cstdint>
#include <optional>

#include "base/json.h"
#include "base/status.h"
#include "grammar/expr.h"

namespace carat {

struct NumberBound {
  Json value;  // a number
  bool exclusive = false;
};

struct NumberBounds {
  std::optional<NumberBound> lower;
  std::optional<NumberBound> upper;
  int64_t multiple_of = 0;  // 0: none
};

// Negative, zero or positive as a is below, equal to or above b.
int CompareNumbers(const Json& a, const Json& b);

// Whole numbers without exponent, leading zeros or -0. Where a side is open
// they have at most 18 digits.
Result<Expr> IntegerExpr(const NumberBounds& bounds, ExprBuilder* builder);
// JSON numbers. With bounds they are written without exponent and with so few
// digits that reading them as double keeps them inside.
Result<Expr> NumberExpr(const NumberBounds& bounds, ExprBuilder* builder);

}  // namespace carat

#endif  // CARAT_GRAMMAR_DECIMAL_RANGE_H_
