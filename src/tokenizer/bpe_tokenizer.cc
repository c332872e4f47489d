#include "tokenizer/bpe_tokenizer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "tokenizer/token_roles.h"

namespace carat {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581

// Text without a single place to cut is cut here all the same, so that one
// request cannot ask for memory without bound (about 32 bytes per byte).
constexpr size_t kMaxWordBytes = size_t{4} << 20;

// The token for what the vocabulary cannot express, -1 when there is none. A
// file may declare any id; a marker must not come out of text that way.
TokenId UnknownId(const Vocabulary& vocabulary, TokenId declared) {
  const TokenId named = vocabulary.Find("<unk>");
  if (named >= 0) return named;
  const bool usable = vocabulary.Contains(declared) &&
                      vocabulary.kind(declared) != TokenKind::kControl;
  return usable ? declared : -1;
}

}  // namespace

template <typename Rules>
BpeTokenizer<Rules>::BpeTokenizer(std::unique_ptr<Vocabulary> vocabulary,
                                  Rules rules, const TokenizerParts& parts)
    : vocabulary_(std::move(vocabulary)),
      rules_(std::move(rules)),
      join_(*vocabulary_),
      engine_(vocabulary_.get(), &rules_, UnknownId(*vocabulary_, parts.unk)),
      reach_(static_cast<size_t>(vocabulary_->size())) {
  for (int i = 0; i < 256; ++i) byte_values_[i] = static_cast<char>(i);
  FillMatchers(parts);
  ResolveIds(parts);
}

template <typename Rules>
void BpeTokenizer<Rules>::FillMatchers(const TokenizerParts& parts) {
  const auto add = [this](std::string_view piece, TokenId id) {
    const TokenKind kind = vocabulary_->kind(id);
    const bool user = kind == TokenKind::kUserDefined;
    if (piece.empty()) return;
    if (user && IsTextName(piece)) plain_.Add(piece, id);
    if (user || kind == TokenKind::kControl || kind == TokenKind::kUnknown) {
      parse_.Add(piece, id);
    }
  };
  for (TokenId id = 0; id < vocabulary_->size(); ++id) {
    add(vocabulary_->piece(id), id);
  }
  for (const auto& [piece, id] : parts.matched_whole) add(piece, id);
}

template <typename Rules>
TokenId BpeTokenizer<Rules>::DeclaredOrNamed(std::string_view name,
                                             TokenId declared) const {
  const TokenId named = vocabulary_->Find(name);
  if (named >= 0) return named;
  return vocabulary_->Contains(declared) ? declared : -1;
}

template <typename Rules>
void BpeTokenizer<Rules>::ResolveIds(const TokenizerParts& parts) {
  bos_ = DeclaredOrNamed("<bos>", parts.bos);
  eos_ = DeclaredOrNamed("<eos>", parts.eos);
  pad_ = DeclaredOrNamed("<pad>", parts.pad);
  unk_ = UnknownId(*vocabulary_, parts.unk);
  for (TokenId id = 0; id < vocab_size(); ++id) {
    if (vocabulary_->kind(id) == TokenKind::kControl &&
        EndsGeneration(vocabulary_->piece(id))) {
      eog_.push_back(id);
    }
  }
  AddStops(parts.ends);
}

template <typename Rules>
std::vector<TokenId> BpeTokenizer<Rules>::Encode(std::string_view text,
                                                 SpecialText special) const {
  const PieceMatcher& whole = special == SpecialText::kParse ? parse_ : plain_;
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 8);
  MergeScratch scratch;
  size_t stretch = 0;
  for (size_t at = 0; (at = whole.NextCandidate(text, at)) < text.size();) {
    const PieceMatcher::Match match = whole.Longest(text.substr(at));
    if (match.id < 0) {
      ++at;
      continue;
    }
    EncodeStretch(text.substr(stretch, at - stretch), &scratch, &ids);
    ids.push_back(match.id);
    at += match.size;
    stretch = at;
  }
  EncodeStretch(text.substr(stretch), &scratch, &ids);
  return ids;
}

// `text` has no pieces that are matched whole. Cuts it into words.
template <typename Rules>
void BpeTokenizer<Rules>::EncodeStretch(std::string_view text,
                                        MergeScratch* scratch,
                                        std::vector<TokenId>* out) const {
  std::string rewritten;
  if (text.find(kMark) != std::string_view::npos) {
    rewritten = ToInner(text);
    text = rewritten;
  }
  size_t word = 0;
  char32_t previous = 0;
  for (size_t at = 0; at < text.size();) {
    const unsigned char lead = static_cast<unsigned char>(text[at]);
    Utf8Char c = {.code = lead, .size = 1, .valid = true};
    if (lead >= 0x80) c = DecodeUtf8(text.substr(at));
    if (at > word && (!c.valid || !join_.MayJoin(previous, c.code) ||
                      at - word >= kMaxWordBytes)) {
      EncodeWord(text.substr(word, at - word), scratch, out);
      word = at;
    }
    if (!c.valid) {
      engine_.AppendBytes(text.substr(at, c.size), out);
      word = at + c.size;
    }
    previous = c.code;
    at += c.size;
  }
  if (word < text.size()) EncodeWord(text.substr(word), scratch, out);
}

template <typename Rules>
void BpeTokenizer<Rules>::EncodeWord(std::string_view word,
                                     MergeScratch* scratch,
                                     std::vector<TokenId>* out) const {
  TokenId id = -1;
  if (word.size() <= vocabulary_->longest_piece()) id = vocabulary_->Find(word);
  if (id < 0 || !vocabulary_->MayMergeInto(id)) {
    engine_.Encode(word, scratch, out);
    return;
  }
  std::atomic<uint8_t>& reach = reach_[static_cast<size_t>(id)];
  const uint8_t known = reach.load(std::memory_order_relaxed);
  if (known == kReachable) {
    out->push_back(id);
    return;
  }
  const size_t before = out->size();
  engine_.Encode(word, scratch, out);
  if (known == kReachUnknown) {
    const bool reached = out->size() == before + 1 && out->back() == id;
    reach.store(reached ? kReachable : kUnreachable, std::memory_order_relaxed);
  }
}

template <typename Rules>
TokenKind BpeTokenizer<Rules>::Kind(TokenId id) const {
  return vocabulary_->Contains(id) ? vocabulary_->kind(id) : TokenKind::kUnused;
}

template <typename Rules>
std::string_view BpeTokenizer<Rules>::Piece(TokenId id) const {
  return vocabulary_->Contains(id) ? vocabulary_->piece(id)
                                   : std::string_view();
}

template <typename Rules>
std::string_view BpeTokenizer<Rules>::Bytes(TokenId id) const {
  switch (Kind(id)) {
    case TokenKind::kNormal:
    case TokenKind::kUserDefined:
      return vocabulary_->inner(id);
    case TokenKind::kByte:
      return {&byte_values_[*ParseBytePiece(vocabulary_->piece(id))], 1};
    default:
      return {};
  }
}

template <typename Rules>
std::optional<TokenId> BpeTokenizer<Rules>::Find(std::string_view piece) const {
  const TokenId id = vocabulary_->Find(ToInner(piece));
  if (id < 0 || vocabulary_->piece(id) != piece) return std::nullopt;
  return id;
}

template class BpeTokenizer<ScoreMerges>;
template class BpeTokenizer<RankMerges>;

Result<std::unique_ptr<Tokenizer>> BuildTokenizer(const TokenizerParts& parts) {
  CARAT_ASSIGN_OR_RETURN(Vocabulary built, Vocabulary::Build(parts.pieces));
  auto vocabulary = std::make_unique<Vocabulary>(std::move(built));
  const auto& bytes = vocabulary->byte_ids();
  const bool all_bytes = std::all_of(bytes.begin(), bytes.end(),
                                     [](TokenId id) { return id >= 0; });
  if (!all_bytes && UnknownId(*vocabulary, parts.unk) < 0) {
    return Malformed(
        "The tokenizer's vocabulary has neither all byte tokens <0x00> ... "
        "<0xFF> nor <unk>, so that some texts could not be encoded.");
  }
  if (!parts.merges) {
    ScoreMerges rules(vocabulary.get(), parts.pieces);
    return std::unique_ptr<Tokenizer>(
        std::make_unique<BpeTokenizer<ScoreMerges>>(std::move(vocabulary),
                                                    std::move(rules), parts));
  }
  RankMerges rules(vocabulary.get());
  CARAT_RETURN_IF_ERROR(rules.Reserve(parts.merges->size()));
  for (const auto& [left, right] : *parts.merges) {
    CARAT_RETURN_IF_ERROR(rules.Add(ToInner(left), ToInner(right)));
  }
  return std::unique_ptr<Tokenizer>(std::make_unique<BpeTokenizer<RankMerges>>(
      std::move(vocabulary), std::move(rules), parts));
}

}  // namespace carat
