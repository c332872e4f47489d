// What a vocabulary entry may do, decided from the type the file gives it and
// from its name, because files disagree about types (docs/tokenizer.md).
#ifndef CARAT_TOKENIZER_TOKEN_ROLES_H_
#define CARAT_TOKENIZER_TOKEN_ROLES_H_

#include <optional>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace carat {

// True for the names Gemma gives to markers: <bos>, <start_of_turn>, <|turn>,
// <turn|>, <|"|>, <unused17>, <image_soft_token>, [multimodal] ...
bool IsMarkerName(std::string_view piece);

// True for pieces that are nothing but text although they are matched whole:
// runs of whitespace, HTML tags, words without angle brackets.
bool IsTextName(std::string_view piece);

// The value of "<0x4F>"; empty for anything else.
std::optional<unsigned char> ParseBytePiece(std::string_view piece);

// The kind of `piece`, given the kind its file claims.
TokenKind ResolveKind(std::string_view piece, TokenKind claimed);

// True for the pieces that end a generation whatever the file says.
bool EndsGeneration(std::string_view piece);

}  // namespace carat

#endif  // CARAT_TOKENIZER_TOKEN_ROLES_H_
