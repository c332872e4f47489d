// Token ids that a person or a script gives as text.
#ifndef CARAT_CLI_TOKEN_IDS_H_
#define CARAT_CLI_TOKEN_IDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "tokenizer/tokenizer.h"

namespace carat {

// An error unless `id` is one of the vocabulary.
Status CheckId(const Tokenizer& tokenizer, int64_t id);
// Ids separated by commas, blanks or brackets: "[2, 651]" works as well.
Result<std::vector<TokenId>> ParseIds(const Tokenizer& tokenizer,
                                      const std::string& text);

}  // namespace carat

#endif  // CARAT_CLI_TOKEN_IDS_H_
