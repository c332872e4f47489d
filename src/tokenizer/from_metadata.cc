// Tokenizers out of GGUF metadata: "llama" (pieces with scores: Gemma 1 to 3)
// and "gemma4" (merges by rank).
#include <fmt/format.h>

#include <cmath>
#include <deque>
#include <string>

#include "base/utf8.h"
#include "formats/metadata.h"
#include "tokenizer/build.h"

namespace carat {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

std::string Key(std::string_view name) {
  return fmt::format("{}{}", kPrefix, name);
}

// GGUF's numbering is SentencePiece's.
TokenKind KindOf(int64_t type) {
  switch (type) {
    case 1:
      return TokenKind::kNormal;
    case 2:
      return TokenKind::kUnknown;
    case 3:
      return TokenKind::kControl;
    case 4:
      return TokenKind::kUserDefined;
    case 6:
      return TokenKind::kByte;
    default:
      return TokenKind::kUnused;
  }
}

Result<const MetaArray*> RequiredArray(const Metadata& meta,
                                       std::string_view name, bool strings) {
  CARAT_ASSIGN_OR_RETURN(const MetaArray* array, meta.Array(Key(name)));
  if (array == nullptr) {
    return Malformed(fmt::format(
        "The file has no metadata {}, which its tokenizer needs.", Key(name)));
  }
  if ((array->type == MetaType::kString) != strings ||
      array->type == MetaType::kArray) {
    return Malformed(fmt::format("The metadata {} must be an array of {}.",
                                 Key(name), strings ? "strings" : "numbers"));
  }
  return array;
}

Status ExpectCount(std::string_view name, size_t expected, size_t found) {
  if (expected == found) return OkStatus();
  return Malformed(
      fmt::format("The metadata {} has {} entries, but {} has {}; both must "
                  "have one per piece.",
                  Key(name), found, Key("tokens"), expected));
}

// Reads the file's arrays into `parts`. Rewritten texts live in `texts`.
class PieceReader {
 public:
  PieceReader(const Metadata& meta, TokenizerParts* parts,
              std::deque<std::string>* texts)
      : meta_(meta), parts_(parts), texts_(texts) {}

  Status Read(bool scores) {
    CARAT_ASSIGN_OR_RETURN(const MetaArray* tokens,
                           RequiredArray(meta_, "tokens", true));
    const size_t count = tokens->strings.size();
    if (count > Vocabulary::kMaxPieces) {
      return Unsupported(fmt::format(
          "The metadata {} has {} pieces; at most {} are supported.",
          Key("tokens"), count, Vocabulary::kMaxPieces));
    }
    parts_->pieces.resize(count);
    CARAT_RETURN_IF_ERROR(ReadKinds(count));
    for (size_t i = 0; i < count; ++i) {
      parts_->pieces[i].text = Spelled(tokens->strings[i]);
    }
    return scores ? ReadScores(count) : OkStatus();
  }

 private:
  Status ReadKinds(size_t count) {
    CARAT_ASSIGN_OR_RETURN(const MetaArray* types,
                           meta_.Array(Key("token_type")));
    if (types == nullptr) {
      // Names alone have to do.
      for (PieceSpec& piece : parts_->pieces) piece.kind = TokenKind::kNormal;
      return OkStatus();
    }
    CARAT_ASSIGN_OR_RETURN(types, RequiredArray(meta_, "token_type", false));
    CARAT_RETURN_IF_ERROR(ExpectCount("token_type", count, types->count));
    for (size_t i = 0; i < count; ++i) {
      parts_->pieces[i].kind = KindOf(types->IntAt(i));
    }
    return OkStatus();
  }

  Status ReadScores(size_t count) {
    CARAT_ASSIGN_OR_RETURN(const MetaArray* scores,
                           RequiredArray(meta_, "scores", false));
    CARAT_RETURN_IF_ERROR(ExpectCount("scores", count, scores->count));
    for (size_t i = 0; i < count; ++i) {
      parts_->pieces[i].score = static_cast<float>(scores->DoubleAt(i));
    }
    return OkStatus();
  }

  // Converters write U+2581 in user-defined pieces as a space.
  std::string_view Spelled(std::string_view text) {
    if (text.find(' ') == std::string_view::npos) return text;
    std::string& spelled = texts_->emplace_back();
    for (char c : text) {
      if (c == ' ') {
        spelled += "\xE2\x96\x81";
      } else {
        spelled += c;
      }
    }
    return spelled;
  }

  const Metadata& meta_;
  TokenizerParts* parts_;
  std::deque<std::string>* texts_;
};

Status ReadMerges(const Metadata& meta, TokenizerParts* parts) {
  CARAT_ASSIGN_OR_RETURN(const MetaArray* merges,
                         RequiredArray(meta, "merges", true));
  auto& pairs = parts->merges.emplace();
  pairs.reserve(merges->strings.size());
  for (std::string_view merge : merges->strings) {
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) {
      return Malformed(fmt::format(
          "Entry {} of the metadata {} is {}, but must be two pieces with a "
          "space between them.",
          pairs.size(), Key("merges"), QuoteForMessage(merge)));
    }
    pairs.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return OkStatus();
}

Status ReadId(const Metadata& meta, std::string_view name, TokenId* id) {
  CARAT_ASSIGN_OR_RETURN(const std::optional<int64_t> value,
                         meta.Int(Key(name)));
  // Files write -1 or its unsigned twin for "none".
  if (value && *value >= 0 && *value < int64_t{Vocabulary::kMaxPieces}) {
    *id = static_cast<TokenId>(*value);
  }
  return OkStatus();
}

Status ReadIds(const Metadata& meta, TokenizerParts* parts) {
  CARAT_RETURN_IF_ERROR(ReadId(meta, "bos_token_id", &parts->bos));
  CARAT_RETURN_IF_ERROR(ReadId(meta, "eos_token_id", &parts->eos));
  CARAT_RETURN_IF_ERROR(ReadId(meta, "unknown_token_id", &parts->unk));
  CARAT_RETURN_IF_ERROR(ReadId(meta, "padding_token_id", &parts->pad));
  for (const char* name :
       {"eos_token_id", "eot_token_id", "eom_token_id", "eos_token_ids"}) {
    CARAT_ASSIGN_OR_RETURN(const std::vector<int64_t> ids,
                           meta.Ints(Key(name)));
    parts->ends.insert(parts->ends.end(), ids.begin(), ids.end());
  }
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromMetadata(
    const Metadata& meta) {
  CARAT_ASSIGN_OR_RETURN(const std::optional<std::string_view> model,
                         meta.String(Key("model")));
  if (!model) {
    return Malformed(
        fmt::format("The file has no metadata {}, so it carries no tokenizer.",
                    Key("model")));
  }
  const bool by_rank = *model == "gemma4";
  if (!by_rank && *model != "llama") {
    return Unsupported(
        fmt::format("The file's tokenizer is {}; known are \"llama\" (Gemma 1 "
                    "to 3) and \"gemma4\".",
                    QuoteForMessage(*model)));
  }
  TokenizerParts parts;
  std::deque<std::string> texts;
  CARAT_RETURN_IF_ERROR(
      PieceReader(meta, &parts, &texts).Read(/*scores=*/!by_rank));
  if (by_rank) CARAT_RETURN_IF_ERROR(ReadMerges(meta, &parts));
  CARAT_RETURN_IF_ERROR(ReadIds(meta, &parts));
  return BuildTokenizer(parts);
}

}  // namespace carat
