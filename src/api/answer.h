// From a request to bytes on the wire, the part that all protocols share:
// submit, wait for events, keep the connection alive, stop when the client has
// gone. What the bytes look like is each protocol's own AnswerWriter.
#ifndef CARAT_API_ANSWER_H_
#define CARAT_API_ANSWER_H_

#include <string>
#include <vector>

#include "api/http.h"
#include "base/status.h"
#include "carat/request.h"
#include "runtime/engine.h"

namespace carat {

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // Appends what `event` of answer number `choice` means in this protocol.
  virtual void Add(int choice, const GenerateEvent& event,
                   std::string* out) = 0;
  // All answers are complete: appends what closes the body. A whole (not
  // streamed) body is written here.
  virtual void End(std::string* out) = 0;
  // Bytes that keep the connection alive and mean nothing to the client; for
  // a whole body, white space.
  virtual std::string KeepAlive() = 0;
  // The request failed before anything was sent: status code and body.
  virtual int Fail(const Status& status, std::string* body) = 0;
};

struct AnswerStyle {
  std::string content_type;  // "text/event-stream", "application/json" ...
  // The head goes out at once and every event as it comes. Otherwise the head
  // waits for the end or the first keep-alive.
  bool stream = false;
  HttpHeaders headers;        // more of them
  int keep_alive_ms = 15000;  // quiet time before a keep-alive is sent
};

// Runs `requests` (one for each choice) to their end. A client that goes away
// cancels them. Errors of Submit and of a generation that fails before the
// head is sent become the writer's Fail.
void Answer(Engine* engine, const std::vector<GenerateRequest>& requests,
            const AnswerStyle& style, AnswerWriter* writer, HttpReply* reply);

// The HTTP status a Status stands for: 400, 404, 429, 499, 503, 504 or 500.
int HttpStatusOf(StatusCode code);

}  // namespace carat

#endif  // CARAT_API_ANSWER_H_
