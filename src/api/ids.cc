#include "api/ids.h"

#include <random>

namespace carat {

std::string NewId(std::string_view prefix) {
  constexpr std::string_view kAlphabet =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr int kLength = 24;
  std::random_device source;
  std::uniform_int_distribution<size_t> pick(0, kAlphabet.size() - 1);
  std::string out(prefix);
  for (int i = 0; i < kLength; ++i) out += kAlphabet[pick(source)];
  return out;
}

}  // namespace carat
