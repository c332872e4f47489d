#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "base/utf8.h"

namespace carat {

std::string Tokenizer::Decode(std::span<const TokenId> ids,
                              bool keep_control) const {
  std::string text;
  for (TokenId id : ids) {
    const TokenKind kind = Kind(id);
    const bool marker =
        kind == TokenKind::kControl || kind == TokenKind::kUnknown;
    text += keep_control && marker ? Piece(id) : Bytes(id);
  }
  return text;
}

void Tokenizer::AddStops(std::span<const int64_t> ids) {
  for (int64_t id : ids) {
    if (id < 0 || id >= vocab_size()) continue;
    const TokenId token = static_cast<TokenId>(id);
    if (Kind(token) == TokenKind::kControl) eog_.push_back(token);
  }
  std::sort(eog_.begin(), eog_.end());
  eog_.erase(std::unique(eog_.begin(), eog_.end()), eog_.end());
}

std::string StreamDecoder::Add(TokenId id) {
  pending_ += tokenizer_->Bytes(id);
  const size_t complete = CompleteUtf8Prefix(pending_);
  std::string text =
      SanitizeUtf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string StreamDecoder::Flush() {
  std::string text = SanitizeUtf8(pending_);
  pending_.clear();
  return text;
}

}  // namespace carat
