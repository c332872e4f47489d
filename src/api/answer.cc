#include "api/answer.h"

#include <chrono>
#include <memory>

namespace carat {
namespace {

using Clock = std::chrono::steady_clock;

// How soon a client that went away is noticed.
constexpr int kPollMs = 50;

// Sends what the writer produced and remembers when.
class Outlet {
 public:
  Outlet(const AnswerStyle& style, HttpReply* reply)
      : style_(style), reply_(reply) {}

  bool Send(const std::string& bytes) {
    if (!reply_->started()) {
      HttpHeaders headers = style_.headers;
      headers.emplace_back("content-type", style_.content_type);
      if (style_.stream) headers.emplace_back("cache-control", "no-cache");
      reply_->Start(200, headers);
    }
    last_ = Clock::now();
    return bytes.empty() || reply_->Write(bytes);
  }
  bool quiet() const {
    return Clock::now() - last_ >=
           std::chrono::milliseconds(style_.keep_alive_ms);
  }

 private:
  const AnswerStyle& style_;
  HttpReply* reply_;
  Clock::time_point last_ = Clock::now();
};

// A generation that went wrong inside the engine before anything was said.
const Done* Failure(const GenerateEvent& event) {
  const Done* done = std::get_if<Done>(&event);
  return done && done->reason == FinishReason::kError ? done : nullptr;
}

}  // namespace

int HttpStatusOf(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return 200;
    case StatusCode::kInvalidArgument:
    case StatusCode::kMalformed:
    case StatusCode::kUnsupported:
    case StatusCode::kFailedPrecondition:
      return 400;
    case StatusCode::kNotFound:
      return 404;
    case StatusCode::kResourceExhausted:
      return 429;
    case StatusCode::kCancelled:
      return 499;
    case StatusCode::kDeadlineExceeded:
      return 504;
    case StatusCode::kUnavailable:
      return 503;
    case StatusCode::kInternal:
      return 500;
  }
  return 500;
}

void Answer(Engine* engine, const std::vector<GenerateRequest>& requests,
            const AnswerStyle& style, AnswerWriter* writer, HttpReply* reply) {
  const auto fail = [&](const Status& status) {
    std::string body;
    const int code = writer->Fail(status, &body);
    SendBody(reply, code, "application/json", body, style.headers);
  };
  // Destroying a handle cancels its request.
  std::vector<std::unique_ptr<GenerationHandle>> handles;
  for (const GenerateRequest& request : requests) {
    auto handle = engine->Submit(request);
    if (!handle.ok()) return fail(handle.status());
    handles.push_back(std::move(handle).value());
  }

  Outlet outlet(style, reply);
  if (style.stream && !outlet.Send("")) return;
  size_t open = handles.size();
  while (open > 0) {
    std::string out;
    bool waited = false;
    for (size_t i = 0; i < handles.size(); ++i) {
      if (!handles[i]) continue;
      GenerateEvent event;
      // One wait each round, on the first that is open; then all that is there.
      int timeout_ms = waited ? 0 : (open > 1 ? 5 : kPollMs);
      waited = true;
      while (handles[i] && handles[i]->NextFor(timeout_ms, &event)) {
        timeout_ms = 0;
        if (const Done* done = Failure(event); done && !reply->started()) {
          return fail(Internal(done->error));
        }
        writer->Add(static_cast<int>(i), event, &out);
        if (std::holds_alternative<Done>(event)) {
          handles[i].reset();
          --open;
        }
      }
    }
    if (reply->gone()) return;
    if (!out.empty() && style.stream) {
      if (!outlet.Send(out)) return;
    } else if (out.empty() && open > 0 && outlet.quiet()) {
      if (!outlet.Send(writer->KeepAlive())) return;
    }
  }
  std::string out;
  writer->End(&out);
  if (reply->started()) {
    outlet.Send(out);
  } else {
    SendBody(reply, 200, style.content_type, out, style.headers);
  }
}

}  // namespace carat
