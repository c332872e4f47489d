#include "tokenizer/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "tokenizer/token_roles.h"

namespace carat {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581

// Longer probe sequences do not happen by chance: the file was made to collide.
constexpr int kMaxProbes = 4096;

void AppendReplaced(std::string_view text, std::string_view from,
                    std::string_view to, std::string* out) {
  size_t start = 0;
  for (size_t at; (at = text.find(from, start)) != std::string_view::npos;
       start = at + from.size()) {
    out->append(text.substr(start, at - start));
    out->append(to);
  }
  out->append(text.substr(start));
}

}  // namespace

std::string ToInner(std::string_view text) {
  std::string inner;
  AppendReplaced(text, kMark, " ", &inner);
  return inner;
}

Result<Vocabulary> Vocabulary::Build(std::span<const PieceSpec> pieces) {
  if (pieces.empty()) {
    return Malformed("The tokenizer's vocabulary is empty.");
  }
  if (pieces.size() > kMaxPieces) {
    return Unsupported(
        fmt::format("The tokenizer's vocabulary has {} pieces; at most {} are "
                    "supported.",
                    pieces.size(), kMaxPieces));
  }
  Vocabulary vocabulary;
  vocabulary.byte_ids_.fill(-1);
  vocabulary.slots_.assign(std::bit_ceil(pieces.size() * 2), kEmpty);
  vocabulary.mask_ = vocabulary.slots_.size() - 1;
  const size_t n = pieces.size();
  vocabulary.inner_offset_.reserve(n + 1);
  vocabulary.piece_offset_.reserve(n + 1);
  vocabulary.kinds_.reserve(n);
  vocabulary.mergeable_.reserve(n);
  vocabulary.inner_offset_.push_back(0);
  vocabulary.piece_offset_.push_back(0);
  for (size_t id = 0; id < n; ++id) {
    CARAT_RETURN_IF_ERROR(vocabulary.Add(pieces[id], static_cast<TokenId>(id)));
  }
  return vocabulary;
}

Status Vocabulary::Add(const PieceSpec& spec, TokenId id) {
  if (spec.text.size() > kMaxPieceBytes) {
    return Unsupported(
        fmt::format("Piece {} of the tokenizer's vocabulary has {} bytes; at "
                    "most {} are supported.",
                    id, spec.text.size(), kMaxPieceBytes));
  }
  const bool literal_space = spec.text.find(' ') != std::string_view::npos;
  AppendReplaced(spec.text, kMark, " ", &inner_);
  inner_offset_.push_back(static_cast<uint32_t>(inner_.size()));
  piece_.append(spec.text);
  piece_offset_.push_back(static_cast<uint32_t>(piece_.size()));
  const TokenKind kind = ResolveKind(spec.text, spec.kind);
  kinds_.push_back(kind);
  mergeable_.push_back(
      kind == TokenKind::kNormal ||
      (kind == TokenKind::kUserDefined && IsTextName(spec.text)));
  if (kind == TokenKind::kByte) {
    TokenId& slot = byte_ids_[*ParseBytePiece(spec.text)];
    if (slot < 0) slot = id;
  }
  if (spec.text.empty()) return OkStatus();
  longest_ = std::max(longest_, inner(id).size());
  return Insert(id, !literal_space);
}

Status Vocabulary::Insert(TokenId id, bool may_replace) {
  const std::string_view text = inner(id);
  const uint64_t hash = HashPiece(text);
  const uint64_t entry = (hash >> 32 << 32) | static_cast<uint32_t>(id);
  size_t slot = hash & mask_;
  for (int probe = 0; probe < kMaxProbes; ++probe, slot = (slot + 1) & mask_) {
    if (slots_[slot] == kEmpty) {
      slots_[slot] = entry;
      return OkStatus();
    }
    if ((slots_[slot] ^ hash) >> 32 != 0) continue;
    const TokenId other = static_cast<TokenId>(slots_[slot] & 0xFFFFFFFFu);
    if (inner(other) != text) continue;
    // Two entries of one text: the first wins, but a piece that spells its
    // spaces as U+2581 is what text is looked up by.
    if (may_replace && piece(other).find(' ') != std::string_view::npos) {
      slots_[slot] = entry;
    }
    return OkStatus();
  }
  return Malformed(
      "The tokenizer's vocabulary has an implausible number of colliding "
      "pieces.");
}

}  // namespace carat
