// Tokenizers for tests, benchmarks and fuzz targets of the grammar room.
#ifndef CARAT_GRAMMAR_TEST_TOKENIZER_H_
#define CARAT_GRAMMAR_TEST_TOKENIZER_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace carat {

inline constexpr std::string_view kTestMarkers[] = {
    "<|tool_call>",
    "<tool_call|>",
    "<|\"|>",
    "<|channel>",
    "<channel|>",
    "<|tool_response>",
    "<start_function_call>",
    "<end_function_call>",
    "<escape>",
    "<|turn>",
    "<turn|>",
};

// A few hundred tokens: all bytes, and pieces that cross the borders of JSON
// (`",`, `":`, `}}`, digits, spaces, letters of several scripts).
class GrammarTestTokenizer : public Tokenizer {
 public:
  GrammarTestTokenizer() {
    for (int b = 0; b < 256; ++b) {
      Add(std::string(1, static_cast<char>(b)), TokenKind::kByte);
    }
    for (std::string_view text :
         {"\":",   "\",",     "\"}",      "\"]",      "\",\"", "\":\"",
          "{\"",   "}}",      "},",       "},{",      "[{",    "[\"",
          "]}",    "],",      "[]",       "{}",       "\\\"",  "\\n",
          "\\u",   "\\u00",   "\\ud8",    "true",     "tru",   "false",
          "null",  "nul",     "12",       "123",      "0.5",   "-1",
          "e+1",   ",\"",     ":{",       ":[",       "a",     "ab",
          "abc",   "name",    "\"name\"", "\"name",   "age",   "id",
          "the",   " the",    " ",        "  ",       "\n",    "\n\n",
          "é",     "日本",    "日",       "\xE6\x97", "😀",    "x\"",
          "call:", "call:f{", "city:",    "2024",     "-01-",  "hello world",
          "<|",    "|>",      "aaaa",     "ab\",\"",  "}\n",   "\t"}) {
      Add(std::string(text), TokenKind::kNormal);
    }
    for (std::string_view marker : kTestMarkers) {
      Add(std::string(marker), TokenKind::kControl);
    }
    Add("<unused0>", TokenKind::kUnused);
    Add("<eos>", TokenKind::kControl);
    eos_ = static_cast<TokenId>(pieces_.size() - 1);
    eog_ = {eos_, *Find("<turn|>"), *Find("<|tool_response>")};
  }

  // Longest pieces first.
  std::vector<TokenId> Encode(std::string_view text,
                              SpecialText) const override {
    std::vector<TokenId> ids;
    while (!text.empty()) {
      size_t best = 1;
      TokenId id = static_cast<uint8_t>(text[0]);
      for (const auto& [piece, token] : text_ids_) {
        if (piece.size() > best && text.starts_with(piece)) {
          best = piece.size();
          id = token;
        }
      }
      ids.push_back(id);
      text.remove_prefix(best);
    }
    return ids;
  }
  int vocab_size() const override { return static_cast<int>(pieces_.size()); }
  TokenKind Kind(TokenId id) const override { return kinds_[Index(id)]; }
  std::string_view Piece(TokenId id) const override {
    return pieces_[Index(id)];
  }
  std::string_view Bytes(TokenId id) const override {
    const TokenKind kind = Kind(id);
    const bool text = kind == TokenKind::kByte || kind == TokenKind::kNormal;
    return text ? Piece(id) : std::string_view();
  }
  std::optional<TokenId> Find(std::string_view piece) const override {
    for (size_t i = pieces_.size(); i-- > 0;) {
      if (pieces_[i] == piece) return static_cast<TokenId>(i);
    }
    return std::nullopt;
  }

 private:
  static size_t Index(TokenId id) { return static_cast<size_t>(id); }
  void Add(std::string piece, TokenKind kind) {
    if (kind == TokenKind::kNormal) {
      text_ids_[piece] = static_cast<TokenId>(pieces_.size());
    }
    pieces_.push_back(std::move(piece));
    kinds_.push_back(kind);
  }

  std::vector<std::string> pieces_;
  std::vector<TokenKind> kinds_;
  std::map<std::string, TokenId, std::less<>> text_ids_;
};

// A real tokenizer in which the call markers it lacks take the place of unused
// entries, so that any Gemma vocabulary can stand in for Gemma 4's.
class MarkedTokenizer : public Tokenizer {
 public:
  explicit MarkedTokenizer(std::unique_ptr<Tokenizer> inner)
      : inner_(std::move(inner)) {
    bos_ = inner_->bos();
    eos_ = inner_->eos();
    eog_ = inner_->end_of_generation();
    int next = 10;
    for (std::string_view marker : kTestMarkers) {
      if (inner_->Find(marker)) continue;
      const std::string unused = "<unused" + std::to_string(next++) + ">";
      if (const std::optional<TokenId> id = inner_->Find(unused)) {
        markers_[*id] = marker;
      }
    }
    if (const auto id = Find("<|tool_response>")) eog_.push_back(*id);
  }

  std::vector<TokenId> Encode(std::string_view text,
                              SpecialText special) const override {
    return inner_->Encode(text, special);
  }
  int vocab_size() const override { return inner_->vocab_size(); }
  TokenKind Kind(TokenId id) const override {
    return markers_.contains(id) ? TokenKind::kControl : inner_->Kind(id);
  }
  std::string_view Piece(TokenId id) const override {
    const auto it = markers_.find(id);
    return it == markers_.end() ? inner_->Piece(id) : it->second;
  }
  std::string_view Bytes(TokenId id) const override {
    return markers_.contains(id) ? std::string_view() : inner_->Bytes(id);
  }
  std::optional<TokenId> Find(std::string_view piece) const override {
    for (const auto& [id, marker] : markers_) {
      if (marker == piece) return id;
    }
    return inner_->Find(piece);
  }

 private:
  std::unique_ptr<Tokenizer> inner_;
  std::map<TokenId, std::string_view> markers_;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_TEST_TOKENIZER_H_
