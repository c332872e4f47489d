// A conversation as /save writes it and /load reads it.
#ifndef CARAT_CLI_TRANSCRIPT_H_
#define CARAT_CLI_TRANSCRIPT_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "carat/message.h"

namespace carat {

struct Transcript {
  std::string system;             // empty: none
  std::vector<Message> messages;  // what follows it

  // The messages with the system's in front.
  std::vector<Message> WithSystem() const;
};

// {"messages": [{"role": "system", "content": "..."}, ...]}, in the style of
// chat/messages_json.h, one message a line.
std::string TranscriptToJson(const Transcript& transcript);
// Errors say which message is wrong and how.
Result<Transcript> TranscriptFromJson(std::string_view text);
Result<Transcript> ReadTranscript(const std::string& path);

}  // namespace carat

#endif  // CARAT_CLI_TRANSCRIPT_H_
