#include "cli/token_ids.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "base/utf8.h"

namespace carat {

Status CheckId(const Tokenizer& tokenizer, int64_t id) {
  if (id >= 0 && id < tokenizer.vocab_size()) return OkStatus();
  return InvalidArgument(
      fmt::format("{} is no token of this model; ids go from 0 to {}.", id,
                  tokenizer.vocab_size() - 1));
}

Result<std::vector<TokenId>> ParseIds(const Tokenizer& tokenizer,
                                      const std::string& text) {
  std::vector<TokenId> ids;
  const char* at = text.c_str();
  while (*at != '\0') {
    if (std::string_view(", \t\r\n[]").find(*at) != std::string_view::npos) {
      ++at;
      continue;
    }
    char* end = nullptr;
    const long long id = std::strtoll(at, &end, 10);
    if (end == at) {
      return InvalidArgument(
          fmt::format("--ids has {} where a number was expected.",
                      QuoteForMessage(at, 20)));
    }
    CARAT_RETURN_IF_ERROR(CheckId(tokenizer, id));
    ids.push_back(static_cast<TokenId>(id));
    at = end;
  }
  return ids;
}

}  // namespace carat
