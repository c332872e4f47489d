// Messages to prompt, one format per model family, written natively: the
// templates that models embed are programs from foreign files and are never
// run. A format is immutable and safe to share between threads.
#ifndef CARAT_CHAT_CHAT_FORMAT_H_
#define CARAT_CHAT_CHAT_FORMAT_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "carat/message.h"
#include "chat/segments.h"

namespace carat {

// How the prompt ends.
enum class PromptEnding {
  kGenerate,  // ready for the model to answer
  kNone,      // after the last message
  kPrefill,   // inside the last message, which is the assistant's: go on there
};

// The official templates have faults. By default they are repaired as
// docs/models/ lists; kKeep gives the template's own bytes, for comparison.
enum class TemplateFaults { kRepair, kKeep };

struct RenderOptions {
  std::vector<ToolDeclaration> tools;
  bool think = false;
  // Keep the thoughts of earlier turns that called tools.
  bool preserve_thinking = false;
  PromptEnding ending = PromptEnding::kGenerate;
  TemplateFaults faults = TemplateFaults::kRepair;
  // Show a tool result that is the text of a JSON object as an object. The
  // templates show it as a string.
  bool parse_json_results = false;
};

// What the prompt left open, where the output begins.
enum class OutputState { kContent, kThought };

struct RenderedPrompt {
  std::vector<Segment> segments;
  OutputState state = OutputState::kContent;
};

// How an answer is stripped at its ends.
enum class AnswerTrim { kNone, kFinalNewline, kBothEnds };

// The pieces that structure a model's output. Empty: the family has none.
struct ChatSyntax {
  std::string_view thought_open;
  std::string_view thought_name;  // follows thought_open: "thought"
  std::string_view thought_close;
  bool thought_only_first = false;  // only at the very start of the output
  std::string_view call_open;
  std::string_view call_close;
  std::string_view quote;        // both ends of a string in a call
  std::string_view result_open;  // ends the output after calls
  std::string_view turn_end;
  AnswerTrim trim = AnswerTrim::kNone;
  // Pieces that are control tokens of this format, whatever the file says.
  std::vector<std::string_view> reserved;
  // Placeholders that must never be sampled.
  std::vector<std::string_view> suppressed;
};

class ChatFormat {
 public:
  virtual ~ChatFormat() = default;
  // The value of --chat-format: "gemma4-small".
  virtual std::string_view name() const = 0;
  virtual const ChatSyntax& syntax() const = 0;
  virtual bool supports_tools() const = 0;
  virtual bool supports_thinking() const = 0;
  virtual Result<RenderedPrompt> Render(std::span<const Message> messages,
                                        const RenderOptions& options) const = 0;
};

// Every name --chat-format takes, the default of a family first.
std::span<const std::string_view> ChatFormatNames();

// The format called `name`. An unknown name is an error that lists all.
Result<std::unique_ptr<ChatFormat>> MakeChatFormat(std::string_view name);

// What is known of a model when its format is chosen.
struct FormatHints {
  std::string_view chat_template;     // as embedded; empty: none
  std::string_view architecture;      // "gemma4"; may be empty
  bool per_layer_embeddings = false;  // E2B, E4B
  const Tokenizer* tokenizer = nullptr;
};

// The format of a model, from the marks in its template, else from its
// vocabulary; "none" for a base model. A template of another family is an
// error that says what was found and what can be forced. `forced`: a name
// from --chat-format; empty or "auto" detects.
Result<std::unique_ptr<ChatFormat>> DetectChatFormat(
    const FormatHints& hints, std::string_view forced = {});

// The same for an opened file.
Result<std::unique_ptr<ChatFormat>> DetectChatFormat(
    const ModelFile& file, const Tokenizer& tokenizer,
    std::string_view forced = {});

}  // namespace carat

#endif  // CARAT_CHAT_CHAT_FORMAT_H_
