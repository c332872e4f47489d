// A rendered prompt: control tokens by their exact piece, plain text, and the
// places of media. Keeping them apart until tokenization is what makes it
// impossible for a user's or tool's text to become a control token.
#ifndef CARAT_CHAT_SEGMENTS_H_
#define CARAT_CHAT_SEGMENTS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "carat/message.h"
#include "tokenizer/tokenizer.h"

namespace carat {

struct Segment {
  enum class Kind { kControl, kText, kMedia };
  Kind kind = Kind::kText;
  // kControl: the vocabulary piece. kText: the text. kMedia: the placeholder
  // piece of the format, "<|image|>".
  std::string text;
  int count = 1;  // kControl: how many times in a row
  // kMedia: what goes here; a copy of the message's part.
  Media media = {};
  bool operator==(const Segment&) const = default;
};

// Collects segments; neighbouring text becomes one segment.
class SegmentBuilder {
 public:
  void Control(std::string_view piece);
  void Text(std::string_view text);
  void Place(std::string_view placeholder, const Media& media);
  std::vector<Segment> Take() { return std::move(segments_); }

 private:
  std::vector<Segment> segments_;
};

// The prompt as one string, placeholders and control tokens by their pieces:
// for people and for comparison with the official templates. Never tokenize
// it.
std::string SegmentsToString(std::span<const Segment> segments);

// Ids of a prompt. Starts with exactly one BOS when the vocabulary has one,
// whether or not the segments bring it. Errors: a control piece that the
// vocabulary lacks, a BOS anywhere else, a media slot that has not been
// replaced by its tokens yet.
//
// `reserved`: pieces that the model treats as control tokens although some
// files do not mark them so. Text that spells one is encoded in two halves.
Result<std::vector<TokenId>> TokenizeSegments(
    const Tokenizer& tokenizer, std::span<const Segment> segments,
    std::span<const std::string_view> reserved = {});

}  // namespace carat

#endif  // CARAT_CHAT_SEGMENTS_H_
