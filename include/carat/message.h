// The neutral words of a conversation. The command line, the HTTP protocols
// and the library all speak these types; chat/ turns them into a model's own
// prompt bytes and turns its output back.
//
// JSON values (arguments, results, schemas) are held as JSON text, so that
// this header needs no JSON library. An empty text means "not given". Plain
// values: copy and share them freely.
#ifndef CARAT_MESSAGE_H_
#define CARAT_MESSAGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace carat {

enum class Role : uint8_t {
  kSystem,
  kDeveloper,
  kUser,
  kAssistant,  // the model
  kTool,       // holds ToolResult parts, right behind the calls they answer
};

// "system", "developer", "user", "assistant" or "tool".
const char* RoleName(Role role);

enum class MediaKind : uint8_t { kImage, kAudio, kVideo };

struct Text {
  std::string text;
  bool operator==(const Text&) const = default;
};

// What the model thought before it answered or called a tool.
struct Thought {
  std::string text;
  bool operator==(const Thought&) const = default;
};

// One image, sound or clip. Exactly one of `data` and `uri` is set; both may
// be empty where only the place in the prompt matters (rendering).
struct Media {
  MediaKind kind = MediaKind::kImage;
  std::string mime_type;                    // "image/png"; may be empty
  std::shared_ptr<const std::string> data;  // the encoded file
  std::string uri;                          // a path or URL, not yet fetched
  int max_tokens = 0;       // budget of soft tokens; 0: the model's default
  double start_s = 0;       // video: first second used
  double end_s = 0;         // video: last second used; 0: to the end
  double frames_per_s = 0;  // video: sampling rate; 0: the model's default
  bool operator==(const Media&) const = default;
};

// One call of a declared tool.
struct ToolCall {
  std::string id;  // empty: matched with its result by order
  std::string name;
  std::string arguments;  // JSON object; empty: no arguments
  bool operator==(const ToolCall&) const = default;
};

// What a tool returned. `content` is what the model reads as a plain string;
// `json` (a JSON value, normally an object) takes its place when not empty.
struct ToolResult {
  std::string call_id;  // empty: matched with its call by order
  std::string name;     // empty: the name of the call it answers
  std::string content;
  std::string json;
  std::vector<Media> media;  // follows the result in the prompt
  bool is_error = false;
  bool operator==(const ToolResult&) const = default;
};

using Part = std::variant<Text, Thought, Media, ToolCall, ToolResult>;

// Parts keep their order. Neighbouring messages of one role are allowed.
struct Message {
  Role role = Role::kUser;
  std::vector<Part> parts;

  Message() = default;
  Message(Role message_role, std::vector<Part> message_parts)
      : role(message_role), parts(std::move(message_parts)) {}
  Message(Role message_role, std::string text) : role(message_role) {
    parts.emplace_back(Text{std::move(text)});
  }

  // The text parts joined; thoughts, calls and results are left out.
  std::string text() const;
  // The thought parts joined.
  std::string thought() const;
  bool has_tool_calls() const;

  bool operator==(const Message&) const = default;
};

// A function the model may call.
struct ToolDeclaration {
  std::string name;
  std::string description;
  std::string parameters;  // JSON schema of the arguments; empty: none taken
  std::string response;    // JSON schema of the result; usually empty
  bool operator==(const ToolDeclaration&) const = default;
};

struct ToolChoice {
  enum class Mode : uint8_t {
    kAuto,      // the model decides
    kNone,      // no call
    kRequired,  // at least one call, of `names` when any are given
  };
  Mode mode = Mode::kAuto;
  std::vector<std::string> names;  // empty: every declared tool
  bool allow_parallel = true;      // several calls in one answer
  bool operator==(const ToolChoice&) const = default;
};

}  // namespace carat

#endif  // CARAT_MESSAGE_H_
