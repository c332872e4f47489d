// The pieces of a vocabulary, their kinds and their look-up by text. Inside,
// a space stands for U+2581, so that input text needs no rewriting and a
// piece's inner text is also what it decodes to. Immutable after Build; owns
// all of its memory.
#ifndef CARAT_TOKENIZER_VOCABULARY_H_
#define CARAT_TOKENIZER_VOCABULARY_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tokenizer/tokenizer.h"

namespace carat {

// One entry as a file gives it, spaces written as U+2581.
struct PieceSpec {
  std::string_view text;
  TokenKind kind = TokenKind::kUnused;
  float score = 0;
};

// A well-mixed 64-bit hash of short byte strings.
inline uint64_t HashPiece(std::string_view text) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15u;
  const char* p = text.data();
  size_t n = text.size();
  uint64_t hash = n * kMultiplier;
  while (n >= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 29;
    p += 8;
    n -= 8;
  }
  uint64_t tail = 0;
  if (n >= 4) {
    uint32_t first, last;
    std::memcpy(&first, p, 4);
    std::memcpy(&last, p + n - 4, 4);
    tail = first | static_cast<uint64_t>(last) << 32;
  } else if (n > 0) {
    tail = static_cast<unsigned char>(p[0]) |
           static_cast<uint64_t>(static_cast<unsigned char>(p[n / 2])) << 8 |
           static_cast<uint64_t>(static_cast<unsigned char>(p[n - 1])) << 16;
  }
  hash = (hash ^ tail) * kMultiplier;
  hash ^= hash >> 32;
  hash *= kMultiplier;
  return hash ^ hash >> 29;
}

// `text` with every U+2581 turned into a space.
std::string ToInner(std::string_view text);

class Vocabulary {
 public:
  static constexpr size_t kMaxPieces = (1u << 20) - 1;
  static constexpr size_t kMaxPieceBytes = 1024;

  // `pieces[id]` is the entry of that id; kinds are resolved by name here.
  static Result<Vocabulary> Build(std::span<const PieceSpec> pieces);

  int size() const { return static_cast<int>(kinds_.size()); }
  bool Contains(TokenId id) const { return id >= 0 && id < size(); }
  // Precondition of the following three: Contains(id).
  TokenKind kind(TokenId id) const { return kinds_[id]; }
  std::string_view inner(TokenId id) const {
    return View(inner_, inner_offset_, id);
  }
  // As written in the file, spaces as U+2581.
  std::string_view piece(TokenId id) const {
    return View(piece_, piece_offset_, id);
  }

  // The id of an inner text, -1 when there is none.
  TokenId Find(std::string_view inner) const {
    const uint64_t hash = HashPiece(inner);
    for (size_t slot = hash & mask_;; slot = (slot + 1) & mask_) {
      const uint64_t entry = slots_[slot];
      if (entry == kEmpty) return -1;
      if ((entry ^ hash) >> 32 != 0) continue;
      const TokenId id = static_cast<TokenId>(entry & 0xFFFFFFFFu);
      if (this->inner(id) == inner) return id;
    }
  }

  // Ids of <0x00> ... <0xFF>, -1 where the vocabulary lacks one.
  const std::array<TokenId, 256>& byte_ids() const { return byte_ids_; }
  size_t longest_piece() const { return longest_; }
  // True for tokens that merging may produce.
  bool MayMergeInto(TokenId id) const { return mergeable_[id] != 0; }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  static std::string_view View(const std::string& bytes,
                               const std::vector<uint32_t>& offset,
                               TokenId id) {
    return {bytes.data() + offset[id], offset[id + 1] - offset[id]};
  }
  Status Add(const PieceSpec& spec, TokenId id);
  Status Insert(TokenId id, bool may_replace);

  std::string inner_, piece_;
  std::vector<uint32_t> inner_offset_, piece_offset_;
  std::vector<TokenKind> kinds_;
  std::vector<uint8_t> mergeable_;
  std::vector<uint64_t> slots_;  // upper half of the hash, id
  uint64_t mask_ = 0;
  std::array<TokenId, 256> byte_ids_{};
  size_t longest_ = 0;
};

}  // namespace carat

#endif  // CARAT_TOKENIZER_VOCABULARY_H_
