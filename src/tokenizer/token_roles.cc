#include "tokenizer/token_roles.h"

#include <algorithm>
#include <array>

namespace carat {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsNameChar(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         c == '_' || c == '-';
}

// <|name>, <name|>, <|name|> and <|"|>.
bool IsBarMarker(std::string_view inner) {
  const bool left = inner.starts_with('|');
  const bool right = inner.ends_with('|') && inner.size() > 1;
  if (!left && !right) return false;
  inner.remove_prefix(left);
  inner.remove_suffix(right);
  return inner == "\"" || (!inner.empty() &&
                           std::all_of(inner.begin(), inner.end(), IsNameChar));
}

bool IsNumbered(std::string_view text, std::string_view stem) {
  if (!text.starts_with(stem) || text.size() == stem.size()) return false;
  text.remove_prefix(stem.size());
  return std::all_of(text.begin(), text.end(), IsDigit);
}

template <size_t N>
bool IsOneOf(std::string_view text,
             const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}

bool IsWhitespace(std::string_view piece) {
  while (!piece.empty()) {
    if (piece.starts_with(kSpace)) {
      piece.remove_prefix(kSpace.size());
    } else if (std::string_view(" \t\n\v\f\r").find(piece[0]) !=
               std::string_view::npos) {
      piece.remove_prefix(1);
    } else {
      return false;
    }
  }
  return true;
}

bool IsHtmlTag(std::string_view inner) {
  static constexpr std::array<std::string_view, 46> kTags = {
      "a",    "b",   "bbox",   "blockquote", "body", "br",     "code",   "col",
      "dd",   "del", "div",    "dl",         "dt",   "em",     "footer", "h1",
      "h2",   "h3",  "h4",     "h5",         "h6",   "head",   "header", "hr",
      "html", "i",   "iframe", "img",        "ins",  "li",     "main",   "nav",
      "ol",   "p",   "pre",    "s",          "span", "strong", "sub",    "sup",
      "u",    "ul",  "title",  "link",       "meta", "q"};
  static constexpr std::array<std::string_view, 8> kTableTags = {
      "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"};
  if (inner.starts_with('/')) inner.remove_prefix(1);
  return IsOneOf(inner, kTags) || IsOneOf(inner, kTableTags);
}

// "<inner>" -> "inner"; empty for anything else.
std::string_view InsideAngles(std::string_view piece) {
  const bool angled =
      piece.size() > 2 && piece.front() == '<' && piece.back() == '>';
  return angled ? piece.substr(1, piece.size() - 2) : std::string_view();
}

// Markers that prompts and answers are made of.
bool IsWorkingMarker(std::string_view piece) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "pad", "eos", "bos", "unk", "mask", "escape", "image", "audio"};
  const std::string_view inner = InsideAngles(piece);
  if (inner.empty()) return false;
  if (IsOneOf(inner, kNames) || IsBarMarker(inner)) return true;
  if (!std::all_of(inner.begin(), inner.end(), IsNameChar)) return false;
  return inner.starts_with("start_of_") || inner.starts_with("end_of_") ||
         inner.starts_with("start_function_") ||
         inner.starts_with("end_function_") || inner.ends_with("_soft_token");
}

// Entries without a use of their own, for fine-tuning to take.
bool IsSpareMarker(std::string_view piece) {
  return piece == "[multimodal]" || piece == "[@BOS@]" || piece == "<2mass>" ||
         IsNumbered(InsideAngles(piece), "unused");
}

}  // namespace

bool IsMarkerName(std::string_view piece) {
  return IsWorkingMarker(piece) || IsSpareMarker(piece);
}

bool IsTextName(std::string_view piece) {
  if (piece.empty() || IsMarkerName(piece)) return false;
  if (IsWhitespace(piece)) return true;
  if (const std::string_view inner = InsideAngles(piece); !inner.empty()) {
    // PaliGemma writes places in a picture as <loc0123> and <seg012>.
    return IsHtmlTag(inner) || IsNumbered(inner, "loc") ||
           IsNumbered(inner, "seg");
  }
  return piece.find_first_of("<>|[]") == std::string_view::npos;
}

std::optional<unsigned char> ParseBytePiece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') {
    return std::nullopt;
  }
  unsigned value = 0;
  for (char c : piece.substr(3, 2)) {
    if (!IsDigit(c) && !(c >= 'A' && c <= 'F')) return std::nullopt;
    value =
        value * 16 + static_cast<unsigned>(IsDigit(c) ? c - '0' : c - 'A' + 10);
  }
  return static_cast<unsigned char>(value);
}

TokenKind ResolveKind(std::string_view piece, TokenKind claimed) {
  if (ParseBytePiece(piece)) return TokenKind::kByte;
  // A byte token without a byte in its name would decode to nothing sensible.
  if (claimed == TokenKind::kByte) return TokenKind::kUnused;
  if (piece == "<unk>") return TokenKind::kUnknown;
  if (piece.empty()) return TokenKind::kUnused;
  if (IsWorkingMarker(piece)) return TokenKind::kControl;
  // Spare entries that the file treats as text (Gemma 4) are left at that.
  if (IsSpareMarker(piece) && claimed != TokenKind::kNormal) {
    return TokenKind::kControl;
  }
  // Converters take the strike-through tag for the end mark of other families.
  if (piece == "</s>" && claimed == TokenKind::kControl) {
    return TokenKind::kNormal;
  }
  return claimed;
}

bool EndsGeneration(std::string_view piece) {
  static constexpr std::array<std::string_view, 6> kNames = {
      "<eos>", "<end_of_turn>", "<turn|>", "<|tool_response>",
      // FunctionGemma waits here for the host's result, CodeGemma's fill-in
      // ends here; other files do not have these names.
      "<start_function_response>", "<|file_separator|>"};
  return IsOneOf(piece, kNames);
}

}  // namespace carat
