// From a request to bytes on the wire, the part that all protocols share:
// submit, wait for events, keep the connection alive, stop when the client has
// gone. What the bytes look like is each protocol's own AnswerWriter.
#ifndef CARAT_API_ANSWER_H_
#define CARAT_API_ANSWER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"
#include "api/model_host.h"
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
  // What an answer that ended like this fails with instead of being sent
  // whole, for clients to retry or raise: a protocol that has words for such
  // an end says OK. Streams tell it in Add.
  virtual Status FailureIn(const Done& done) const;
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
  // For the time before there is a writer: keep-alives that may open a body,
  // and the body's end when the request fails after its head went out.
  std::string first_keep_alive = " ";
  std::function<std::string(const Status&)> late_error;
};

// The model for an answer. While it loads the client is kept patient: after a
// second the head of a stream goes out, then keep-alives, those of a whole body
// after a quiet time as in Answer. A failure after that has been written when
// this returns: who sends errors asks reply->started() first.
Result<ModelLease> AcquireFor(const AnswerStyle& style, ModelHost* host,
                              std::string_view name,
                              std::optional<int64_t> keep_alive_s,
                              HttpReply* reply);

// The same for short answers, where nothing is sent meanwhile: a client that
// leaves is not waited for.
Result<ModelLease> AcquireWhileThere(ModelHost* host, std::string_view name,
                                     const HttpReply& reply);

// Hands on a failure between the two: written where the head is out already.
Status LateError(const AnswerStyle& style, const Status& status,
                 HttpReply* reply);

// Runs `requests` (one for each choice) to their end. A client that goes away
// cancels them. Errors of Submit, and of a whole answer's generation, become
// the writer's Fail; behind a head that keep-alives sent, the late error.
void Answer(const ModelLease& lease,
            const std::vector<GenerateRequest>& requests,
            const AnswerStyle& style, AnswerWriter* writer, HttpReply* reply);

// The HTTP status a Status stands for: 400, 404, 429, 499, 503, 504 or 500.
int HttpStatusOf(StatusCode code);

}  // namespace carat

#endif  // CARAT_API_ANSWER_H_
