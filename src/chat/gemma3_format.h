// Prompts of Gemma 1 to 3, of FunctionGemma (the Gemma 3 turn format plus
// tools) and of base models (plain text).
#ifndef CARAT_CHAT_GEMMA3_FORMAT_H_
#define CARAT_CHAT_GEMMA3_FORMAT_H_

#include "chat/chat_format.h"

namespace carat {

class Gemma3Format : public ChatFormat {
 public:
  std::string_view name() const override { return "gemma3"; }
  const ChatSyntax& syntax() const override;
  bool supports_tools() const override { return false; }
  bool supports_thinking() const override { return false; }
  Result<RenderedPrompt> Render(std::span<const Message> messages,
                                const RenderOptions& options) const override;
};

class FunctionGemmaFormat : public ChatFormat {
 public:
  std::string_view name() const override { return "functiongemma"; }
  const ChatSyntax& syntax() const override;
  bool supports_tools() const override { return true; }
  bool supports_thinking() const override { return false; }
  Result<RenderedPrompt> Render(std::span<const Message> messages,
                                const RenderOptions& options) const override;
};

// A base model completes text: the messages' texts, a blank line between.
class PlainFormat : public ChatFormat {
 public:
  std::string_view name() const override { return "none"; }
  const ChatSyntax& syntax() const override;
  bool supports_tools() const override { return false; }
  bool supports_thinking() const override { return false; }
  Result<RenderedPrompt> Render(std::span<const Message> messages,
                                const RenderOptions& options) const override;
};

// An error when `options` ask for what `format` cannot do.
Status CheckSupported(const ChatFormat& format, const RenderOptions& options);

}  // namespace carat

#endif  // CARAT_CHAT_GEMMA3_FORMAT_H_
