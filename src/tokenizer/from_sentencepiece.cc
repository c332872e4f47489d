// Tokenizers out of a SentencePiece .model: a protobuf message with one piece
// per id (sentencepiece_model.proto). Only BPE models are of use here.
#include <fmt/format.h>

#include "tokenizer/build.h"
#include "tokenizer/wire_reader.h"

namespace carat {
namespace {

using Field = WireReader::Field;

constexpr int64_t kBpeModelType = 2;  // TrainerSpec.ModelType.BPE

Status Broken(std::string_view what) {
  return Malformed(fmt::format(
      "The SentencePiece model is damaged: {} cannot be read.", what));
}

TokenKind KindOf(uint64_t type) {
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

Status ReadPiece(std::string_view message, TokenizerParts* parts) {
  PieceSpec piece = {.text = {}, .kind = TokenKind::kNormal, .score = 0};
  WireReader reader(message);
  Field field;
  while (reader.Next(&field)) {
    if (field.number == 1 && field.type == Field::kBytes) {
      piece.text = field.bytes;
    } else if (field.number == 2 && field.type == Field::kFixed32) {
      piece.score = field.AsFloat();
    } else if (field.number == 3 && field.type == Field::kVarint) {
      piece.kind = KindOf(field.value);
    }
  }
  if (!reader.ok())
    return Broken(fmt::format("piece {}", parts->pieces.size()));
  if (parts->pieces.size() == Vocabulary::kMaxPieces) {
    return Unsupported(
        fmt::format("The SentencePiece model has more than {} pieces.",
                    Vocabulary::kMaxPieces));
  }
  parts->pieces.push_back(piece);
  return OkStatus();
}

Status ReadTrainerSpec(std::string_view message, TokenizerParts* parts,
                       int64_t* model_type) {
  WireReader reader(message);
  Field field;
  while (reader.Next(&field)) {
    if (field.type != Field::kVarint) continue;
    // Ids may be negative: "none".
    const int64_t value = static_cast<int64_t>(field.value);
    const TokenId id = value >= 0 && value < int64_t{Vocabulary::kMaxPieces}
                           ? static_cast<TokenId>(value)
                           : -1;
    if (field.number == 3) *model_type = value;
    if (field.number == 40) parts->unk = id;
    if (field.number == 41) parts->bos = id;
    if (field.number == 42) parts->eos = id;
    if (field.number == 43) parts->pad = id;
  }
  return reader.ok() ? OkStatus() : Broken("the trainer's settings");
}

Status ReadNormalizerSpec(std::string_view message) {
  WireReader reader(message);
  Field field;
  while (reader.Next(&field)) {
    if (field.number == 3 && field.type == Field::kVarint && field.value != 0) {
      return Unsupported(
          "The SentencePiece model puts a space before every text "
          "(add_dummy_prefix), which no Gemma model does.");
    }
  }
  return reader.ok() ? OkStatus() : Broken("the normalizer's settings");
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromSentencePiece(
    std::string_view model) {
  TokenizerParts parts;
  int64_t model_type = kBpeModelType;
  WireReader reader(model);
  Field field;
  while (reader.Next(&field)) {
    if (field.type != Field::kBytes) continue;
    if (field.number == 1) {
      CARAT_RETURN_IF_ERROR(ReadPiece(field.bytes, &parts));
    } else if (field.number == 2) {
      CARAT_RETURN_IF_ERROR(ReadTrainerSpec(field.bytes, &parts, &model_type));
    } else if (field.number == 3) {
      CARAT_RETURN_IF_ERROR(ReadNormalizerSpec(field.bytes));
    }
  }
  if (!reader.ok()) return Broken("its end");
  if (model_type != kBpeModelType) {
    return Unsupported(
        fmt::format("The SentencePiece model has type {}; only BPE (type {}) "
                    "is supported.",
                    model_type, kBpeModelType));
  }
  if (parts.eos >= 0) parts.ends.push_back(parts.eos);
  return BuildTokenizer(parts);
}

}  // namespace carat
