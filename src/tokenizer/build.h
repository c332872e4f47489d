// What every vocabulary format boils down to, and the step from there to a
// Tokenizer. Private to this folder.
#ifndef CARAT_TOKENIZER_BUILD_H_
#define CARAT_TOKENIZER_BUILD_H_

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace carat {

// The views need to live until BuildTokenizer returns.
struct TokenizerParts {
  using MergePair = std::pair<std::string_view, std::string_view>;

  std::vector<PieceSpec> pieces;  // index = id; holes are kUnused, empty
  // More texts that mean an id which already has a piece.
  std::vector<std::pair<std::string_view, TokenId>> matched_whole;
  // Empty: merge by score. Halves spell spaces as U+2581.
  std::optional<std::vector<MergePair>> merges;
  // Ids the file declares, -1 when it does not; `ends` stop a generation.
  TokenId bos = -1, eos = -1, pad = -1, unk = -1;
  std::vector<int64_t> ends;
};

Result<std::unique_ptr<Tokenizer>> BuildTokenizer(const TokenizerParts& parts);

}  // namespace carat

#endif  // CARAT_TOKENIZER_BUILD_H_
