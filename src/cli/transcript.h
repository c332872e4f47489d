// A conversation as /save writes it and /load reads it.
#ifndef CARAT_CLI_TRANSCRIPT_H_
#define CARAT_CLI_TRANSCRIPT_H_

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "carat/message.h"

namespace carat {

struct Transcript {
  std::string system;             // empty: none
  std::vector<Message> messages;  // user and assistant, text only

  // The messages with the system's in front.
  std::vector<Message> WithSystem() const;
};

// {"messages": [{"role": "system", "content": "..."}, ...]}
Json TranscriptToJson(const Transcript& transcript);
// Errors say which message is wrong and how.
Result<Transcript> TranscriptFromJson(const Json& json);
Result<Transcript> ReadTranscript(const std::string& path);

}  // namespace carat

#endif  // CARAT_CLI_TRANSCRIPT_H_
