// Tokenizers out of tokenizer.json as Hugging Face writes it: a BPE model with
// byte fallback, its merges as "a b" or as ["a", "b"], and added tokens.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/build.h"
#include "tokenizer/json_cursor.h"

namespace carat {
namespace {

struct AddedToken {
  std::string_view content;
  int64_t id = -1;
  bool special = false;
};

class TokenizerJsonReader {
 public:
  explicit TokenizerJsonReader(std::string_view json) : cursor_(json) {}

  Result<std::unique_ptr<Tokenizer>> Read() {
    std::string_view key;
    cursor_.EnterObject();
    while (cursor_.NextKey(&key)) {
      if (key == "added_tokens" && cursor_.Peek() == '[') {
        ReadAddedTokens();
      } else if (key == "model") {
        ReadModel();
      } else {
        cursor_.Skip();
      }
    }
    if (cursor_.ok() && !cursor_.AtEnd()) cursor_.Fail("its end");
    if (!cursor_.ok()) return cursor_.status().WithContext("tokenizer.json");
    CARAT_RETURN_IF_ERROR(CheckModel());
    CARAT_RETURN_IF_ERROR(PlaceVocabulary());
    CARAT_RETURN_IF_ERROR(PlaceAddedTokens());
    return BuildTokenizer(parts_);
  }

 private:
  void ReadAddedTokens() {
    std::string_view key;
    cursor_.EnterArray();
    while (cursor_.NextElement()) {
      AddedToken token;
      cursor_.EnterObject();
      while (cursor_.NextKey(&key)) {
        if (key == "id") {
          cursor_.Int(&token.id);
        } else if (key == "content") {
          cursor_.String(&token.content);
        } else if (key == "special") {
          cursor_.Bool(&token.special);
        } else {
          cursor_.Skip();
        }
      }
      added_.push_back(token);
    }
  }

  void ReadModel() {
    std::string_view key;
    cursor_.EnterObject();
    while (cursor_.NextKey(&key)) {
      const char next = cursor_.Peek();
      if (key == "type" && next == '"') {
        cursor_.String(&type_);
      } else if (key == "unk_token" && next == '"') {
        cursor_.String(&unk_);
      } else if (key == "vocab" && next == '{') {
        ReadVocabulary();
      } else if (key == "merges") {
        ReadMerges();
      } else {
        cursor_.Skip();
      }
    }
  }

  void ReadVocabulary() {
    std::string_view piece;
    int64_t id;
    cursor_.EnterObject();
    while (cursor_.NextKey(&piece)) {
      if (cursor_.Int(&id)) vocabulary_.emplace_back(piece, id);
    }
  }

  void ReadMerges() {
    auto& merges = parts_.merges.emplace();
    cursor_.EnterArray();
    while (cursor_.NextElement()) {
      std::string_view left, right;
      if (cursor_.Peek() == '"') {
        if (!cursor_.String(&left)) return;
        const size_t space = left.find(' ');
        if (space == std::string_view::npos) {
          cursor_.Fail("a merge of two pieces with a space between them");
          return;
        }
        right = left.substr(space + 1);
        left = left.substr(0, space);
      } else if (!ReadPair(&left, &right)) {
        return;
      }
      merges.emplace_back(left, right);
    }
  }

  bool ReadPair(std::string_view* left, std::string_view* right) {
    if (!cursor_.EnterArray()) return false;
    if (!cursor_.NextElement() || !cursor_.String(left) ||
        !cursor_.NextElement() || !cursor_.String(right) ||
        cursor_.NextElement()) {
      return cursor_.Fail("a merge of two pieces");
    }
    return cursor_.ok();
  }

  Status CheckModel() const {
    if (!type_.empty() && type_ != "BPE") {
      return Unsupported(
          fmt::format("tokenizer.json has a model of type {}; only \"BPE\" is "
                      "supported.",
                      QuoteForMessage(type_)));
    }
    if (vocabulary_.empty() || !parts_.merges) {
      return Malformed(
          "tokenizer.json has no model.vocab or no model.merges; a BPE "
          "tokenizer needs both.");
    }
    return OkStatus();
  }

  // Makes room for `id` and returns its entry.
  Result<PieceSpec*> Slot(std::string_view piece, int64_t id) {
    if (id < 0 || id >= static_cast<int64_t>(Vocabulary::kMaxPieces)) {
      return Malformed(
          fmt::format("tokenizer.json gives {} the id {}; ids must lie in 0 to "
                      "{}.",
                      QuoteForMessage(piece), id, Vocabulary::kMaxPieces - 1));
    }
    const size_t index = static_cast<size_t>(id);
    if (parts_.pieces.size() <= index) parts_.pieces.resize(index + 1);
    return &parts_.pieces[index];
  }

  Status PlaceVocabulary() {
    for (const auto& [piece, id] : vocabulary_) {
      CARAT_ASSIGN_OR_RETURN(PieceSpec * slot, Slot(piece, id));
      // One id under two names: the first one is its piece.
      if (slot->text.empty()) {
        *slot = {.text = piece, .kind = TokenKind::kNormal};
      }
      if (piece == unk_) {
        slot->kind = TokenKind::kUnknown;
        parts_.unk = static_cast<TokenId>(id);
      }
    }
    return OkStatus();
  }

  Status PlaceAddedTokens() {
    for (const AddedToken& token : added_) {
      CARAT_ASSIGN_OR_RETURN(PieceSpec * slot, Slot(token.content, token.id));
      if (slot->text.empty()) slot->text = token.content;
      if (slot->text != token.content) {
        parts_.matched_whole.emplace_back(token.content,
                                          static_cast<TokenId>(token.id));
      }
      if (slot->kind != TokenKind::kUnknown) {
        slot->kind =
            token.special ? TokenKind::kControl : TokenKind::kUserDefined;
      }
    }
    return OkStatus();
  }

  JsonCursor cursor_;
  std::vector<AddedToken> added_;
  std::vector<std::pair<std::string_view, int64_t>> vocabulary_;
  std::string_view type_, unk_;
  TokenizerParts parts_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromTokenizerJson(
    std::string_view json) {
  return TokenizerJsonReader(json).Read();
}

}  // namespace carat
