#include "chat/segments.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace carat {
namespace {

// Where the first reserved piece in `text` starts; npos when there is none.
size_t FindReserved(std::string_view text,
                    std::span<const std::string_view> reserved) {
  size_t first = std::string_view::npos;
  for (const std::string_view piece : reserved) {
    first = std::min(first, text.find(piece));
  }
  return first;
}

Status AppendText(const Tokenizer& tokenizer, std::string_view text,
                  std::span<const std::string_view> reserved,
                  std::vector<TokenId>* ids) {
  while (!text.empty()) {
    // Cut behind the first byte of a reserved piece: its two halves encode
    // apart and cannot merge into the token.
    const size_t at = FindReserved(text, reserved);
    const size_t cut = at == text.npos ? text.size() : at + 1;
    for (const TokenId id : tokenizer.Encode(text.substr(0, cut))) {
      if (tokenizer.Kind(id) == TokenKind::kControl) {
        return Internal(fmt::format(
            "The tokenizer turned plain text into the control token {}.",
            QuoteForMessage(tokenizer.Piece(id))));
      }
      ids->push_back(id);
    }
    text.remove_prefix(cut);
  }
  return OkStatus();
}

}  // namespace

void SegmentBuilder::Control(std::string_view piece) {
  segments_.push_back(
      {.kind = Segment::Kind::kControl, .text = std::string(piece)});
}

void SegmentBuilder::Text(std::string_view text) {
  if (text.empty()) return;
  if (!segments_.empty() && segments_.back().kind == Segment::Kind::kText) {
    segments_.back().text += text;
    return;
  }
  segments_.push_back(
      {.kind = Segment::Kind::kText, .text = std::string(text)});
}

void SegmentBuilder::Place(std::string_view placeholder, const Media& media) {
  segments_.push_back({.kind = Segment::Kind::kMedia,
                       .text = std::string(placeholder),
                       .media = media});
}

std::string SegmentsToString(std::span<const Segment> segments) {
  std::string out;
  for (const Segment& segment : segments) {
    for (int i = 0; i < segment.count; ++i) out += segment.text;
  }
  return out;
}

Result<std::vector<TokenId>> TokenizeSegments(
    const Tokenizer& tokenizer, std::span<const Segment> segments,
    std::span<const std::string_view> reserved) {
  std::vector<TokenId> ids;
  if (tokenizer.bos() >= 0) ids.push_back(tokenizer.bos());
  std::string text;  // neighbouring plain text, encoded as one run
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    if (segment.kind == Segment::Kind::kText) {
      text += segment.text;
      continue;
    }
    CARAT_RETURN_IF_ERROR(AppendText(tokenizer, text, reserved, &ids));
    text.clear();
    if (segment.kind == Segment::Kind::kMedia) {
      return FailedPrecondition(fmt::format(
          "The prompt has a place for media ({}) that was not replaced by the "
          "media's own tokens before tokenization.",
          segment.text));
    }
    const std::optional<TokenId> id = tokenizer.Find(segment.text);
    if (!id.has_value()) {
      return InvalidArgument(fmt::format(
          "The chat format needs the control token {}, which this model's "
          "vocabulary does not have. Choose another one with --chat-format.",
          QuoteForMessage(segment.text)));
    }
    if (*id == tokenizer.bos()) {
      if (i == 0 && segment.count == 1) continue;
      return InvalidArgument(
          "The prompt has a beginning-of-text token in its middle.");
    }
    ids.insert(ids.end(), static_cast<size_t>(std::max(segment.count, 0)), *id);
  }
  CARAT_RETURN_IF_ERROR(AppendText(tokenizer, text, reserved, &ids));
  return ids;
}

}  // namespace carat
