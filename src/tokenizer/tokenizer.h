// Text to token ids and back for the Gemma families: BPE with byte fallback,
// spaces as U+2581, no normalisation. Built from GGUF metadata, from
// tokenizer.json or from a SentencePiece .model. Immutable and thread-safe
// after construction.
//
// Control tokens never come out of user text: Encode treats its input as plain
// text unless the caller asks for SpecialText::kParse.
#ifndef CARAT_TOKENIZER_TOKENIZER_H_
#define CARAT_TOKENIZER_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "formats/model_file.h"

namespace carat {

using TokenId = int32_t;

enum class TokenKind : uint8_t {
  kNormal,
  kByte,         // <0x00> ... <0xFF>: one raw byte
  kControl,      // never part of text: <bos>, <|turn> ...
  kUserDefined,  // matched whole before merging (newline runs, HTML tags ...)
  kUnknown,
  kUnused,
};

enum class SpecialText {
  kPlain,  // "<bos>" in the input is seven characters
  kParse,  // "<bos>" in the input becomes the control token
};

class Tokenizer {
 public:
  // From whatever the model file carries.
  static Result<std::unique_ptr<Tokenizer>> FromModelFile(
      const ModelFile& file);
  static Result<std::unique_ptr<Tokenizer>> FromMetadata(const Metadata& meta);
  static Result<std::unique_ptr<Tokenizer>> FromTokenizerJson(
      std::string_view json);
  static Result<std::unique_ptr<Tokenizer>> FromSentencePiece(
      std::string_view model);
  virtual ~Tokenizer() = default;

  // Ids of `text`; never adds BOS or EOS. Invalid UTF-8 is encoded byte by
  // byte through the byte tokens, so that decoding gives the same bytes back.
  virtual std::vector<TokenId> Encode(
      std::string_view text,
      SpecialText special = SpecialText::kPlain) const = 0;

  virtual int vocab_size() const = 0;
  virtual TokenKind Kind(TokenId id) const = 0;
  // The piece as written in the vocabulary: "▁the", "<0x0A>", "<bos>".
  virtual std::string_view Piece(TokenId id) const = 0;
  // The bytes a token contributes to decoded text: " the", "\n"; control
  // tokens contribute nothing. Byte tokens give their single byte.
  virtual std::string_view Bytes(TokenId id) const = 0;
  // The id whose vocabulary entry is exactly `piece`.
  virtual std::optional<TokenId> Find(std::string_view piece) const = 0;

  // Found by name (<bos>, <eos>, <pad>, <unk>) before what the file declares:
  // some Gemma files declare <turn|> to be their eos. -1 when there is none.
  TokenId bos() const { return bos_; }
  TokenId eos() const { return eos_; }
  TokenId pad() const { return pad_; }
  TokenId unk() const { return unk_; }
  // Tokens that end a generation, from the file and by text: <eos>,
  // <end_of_turn>, <turn|>, <|tool_response> ... In ascending order.
  const std::vector<TokenId>& end_of_generation() const { return eog_; }

  // Text of `ids`. Control tokens are left out, or written as their piece.
  std::string Decode(std::span<const TokenId> ids,
                     bool keep_control = false) const;

 protected:
  // Adds `ids` to end_of_generation(), unless they are out of range or name a
  // piece of text: files exist that declare "</s>" or a newline.
  void AddStops(std::span<const int64_t> ids);

  TokenId bos_ = -1, eos_ = -1, pad_ = -1, unk_ = -1;
  std::vector<TokenId> eog_;
};

// Turns tokens into text as they arrive and never splits a UTF-8 character:
// an incomplete tail is held back until it completes, or comes out as U+FFFD
// at Flush or when a following byte proves it broken.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer* tokenizer) : tokenizer_(tokenizer) {}
  // The text that became complete with this token (maybe empty).
  std::string Add(TokenId id);
  // What is still held back, as valid UTF-8.
  std::string Flush();

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;
};

}  // namespace carat

#endif  // CARAT_TOKENIZER_TOKENIZER_H_
