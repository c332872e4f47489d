// Any JSON through the conversation reader and every renderer, with and
// without the repairs; what can be rendered must tokenize, and text must never
// become a control token.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "chat/chat_format.h"
#include "chat/fake_tokenizer.h"
#include "chat/messages_json.h"

namespace carat {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

struct Setup {
  std::unique_ptr<ChatFormat> format;
  FakeTokenizer tokenizer;
};

const std::vector<Setup>& Setups() {
  static const std::vector<Setup> kSetups = [] {
    std::vector<Setup> setups;
    for (const std::string_view name : ChatFormatNames()) {
      auto format = std::move(MakeChatFormat(name)).value();
      FakeTokenizer tokenizer = FakeTokenizer::For(*format);
      setups.push_back({std::move(format), std::move(tokenizer)});
    }
    return setups;
  }();
  return kSetups;
}

void Render(const Setup& setup, const Conversation& conversation,
            const RenderOptions& options) {
  const auto& [format, tokenizer] = setup;
  const Result<RenderedPrompt> prompt =
      format->Render(conversation.messages, options);
  if (!prompt.ok()) return;
  std::vector<Segment> segments = prompt->segments;
  std::ptrdiff_t controls = 0;
  for (Segment& segment : segments) {
    if (segment.kind == Segment::Kind::kText) continue;
    segment.kind = Segment::Kind::kControl;  // media: one placeholder
    ++controls;
  }
  const Result<std::vector<TokenId>> ids =
      TokenizeSegments(tokenizer, segments, format->syntax().reserved);
  Require(ids.ok());
  Require(std::count_if(ids->begin(), ids->end(),
                        [](TokenId id) { return id >= 256; }) == controls);
  Require(tokenizer.Decode(*ids, true) == SegmentsToString(prompt->segments));
}

void Run(std::string_view bytes) {
  const uint8_t mode = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  const Result<Conversation> conversation = ConversationFromJson(bytes);
  if (!conversation.ok()) return;
  const Result<Conversation> again =
      ConversationFromJson(MessagesToJson(conversation->messages));
  Require(again.ok());
  RenderOptions options;
  options.tools = conversation->tools;
  options.think = (mode & 1) != 0;
  options.preserve_thinking = (mode & 2) != 0;
  options.parse_json_results = (mode & 4) != 0;
  options.ending = static_cast<PromptEnding>((mode >> 3) % 3);
  options.faults =
      (mode & 128) != 0 ? TemplateFaults::kKeep : TemplateFaults::kRepair;
  for (const Setup& setup : Setups()) Render(setup, *conversation, options);
}

}  // namespace
}  // namespace carat

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 1 << 16) return 0;
  carat::Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
