// For tests and fuzzers: a tokenizer whose ids are the 256 bytes and a list of
// control pieces behind them. Encode gives one id a byte, so a prompt's ids
// say exactly which characters were text.
#ifndef CARAT_CHAT_FAKE_TOKENIZER_H_
#define CARAT_CHAT_FAKE_TOKENIZER_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/chat_format.h"
#include "tokenizer/tokenizer.h"

namespace carat {

class FakeTokenizer : public Tokenizer {
 public:
  explicit FakeTokenizer(std::vector<std::string> pieces,
                         TokenKind kind = TokenKind::kControl)
      : kind_(kind) {
    for (int i = 0; i < 256; ++i) {
      bytes_.push_back(std::string(1, static_cast<char>(i)));
    }
    for (const std::string_view piece : {"<bos>", "<eos>"}) {
      pieces_.emplace_back(piece);
    }
    bos_ = 256;
    eos_ = 257;
    for (std::string& piece : pieces) {
      if (!Find(piece).has_value()) pieces_.push_back(std::move(piece));
    }
  }
  // With every piece a format knows.
  static FakeTokenizer For(const ChatFormat& format) {
    const ChatSyntax& syntax = format.syntax();
    std::vector<std::string> pieces;
    for (const std::string_view piece : syntax.reserved) {
      pieces.emplace_back(piece);
    }
    for (const std::string_view piece :
         {syntax.thought_open, syntax.thought_close}) {
      if (!piece.empty()) pieces.emplace_back(piece);
    }
    return FakeTokenizer(std::move(pieces));
  }

  std::vector<TokenId> Encode(std::string_view text,
                              SpecialText special) const override {
    std::vector<TokenId> ids;
    while (!text.empty()) {
      TokenId id = static_cast<unsigned char>(text[0]);
      size_t size = 1;
      // Other kinds than control are matched in plain text, as the user
      // defined pieces of real files are.
      if (special == SpecialText::kParse || kind_ != TokenKind::kControl) {
        for (size_t i = 0; i < pieces_.size(); ++i) {
          if (text.substr(0, pieces_[i].size()) != pieces_[i]) continue;
          id = static_cast<TokenId>(256 + i);
          size = pieces_[i].size();
        }
      }
      ids.push_back(id);
      text.remove_prefix(size);
    }
    return ids;
  }
  int vocab_size() const override {
    return static_cast<int>(256 + pieces_.size());
  }
  TokenKind Kind(TokenId id) const override {
    return id < 256 ? TokenKind::kByte : kind_;
  }
  std::string_view Piece(TokenId id) const override {
    const size_t i = static_cast<size_t>(id);
    return id < 256 ? bytes_[i] : pieces_[i - 256];
  }
  std::string_view Bytes(TokenId id) const override {
    if (id < 256) return bytes_[static_cast<size_t>(id)];
    return kind_ == TokenKind::kControl ? std::string_view() : Piece(id);
  }
  std::optional<TokenId> Find(std::string_view piece) const override {
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i] == piece) return static_cast<TokenId>(256 + i);
    }
    return std::nullopt;
  }

 private:
  TokenKind kind_;
  std::vector<std::string> bytes_;
  std::vector<std::string> pieces_;
};

}  // namespace carat

#endif  // CARAT_CHAT_FAKE_TOKENIZER_H_
