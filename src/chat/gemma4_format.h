// Gemma 4 prompts: the official template of 2026-07-09 (v4) and the three
// before it, which many converted files still embed.
#ifndef CARAT_CHAT_GEMMA4_FORMAT_H_
#define CARAT_CHAT_GEMMA4_FORMAT_H_

#include <string>

#include "chat/chat_format.h"

namespace carat {

struct Gemma4Revision {
  int number = 4;  // 1 to 4
  // The large sizes (12B and up) get an empty thought channel in the
  // generation prompt when thinking is off, from v2 on.
  bool large = false;
};

class Gemma4Format : public ChatFormat {
 public:
  Gemma4Format(std::string_view name, Gemma4Revision revision)
      : name_(name), revision_(revision) {}

  std::string_view name() const override { return name_; }
  const ChatSyntax& syntax() const override;
  bool supports_tools() const override { return true; }
  bool supports_thinking() const override { return true; }
  Result<RenderedPrompt> Render(std::span<const Message> messages,
                                const RenderOptions& options) const override;

 private:
  std::string name_;
  Gemma4Revision revision_;
};

}  // namespace carat

#endif  // CARAT_CHAT_GEMMA4_FORMAT_H_
