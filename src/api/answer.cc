#include "api/answer.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "api/failure.h"

namespace carat {
namespace {

using Clock = std::chrono::steady_clock;

// How soon a client that went away is noticed.
constexpr int kPollMs = 50;

// The head of a stream waits so long for its model, so that what fails at once
// has its own HTTP status.
constexpr int kHeadAfterMs = 1000;

// Sends what the writer produced and remembers when.
class Outlet {
 public:
  Outlet(const AnswerStyle& style, HttpReply* reply)
      : style_(style), reply_(reply) {}

  bool Send(std::string_view bytes) {
    if (!reply_->started()) {
      HttpHeaders headers = style_.headers;
      headers.emplace_back("content-type", style_.content_type);
      if (style_.stream) headers.emplace_back("cache-control", "no-cache");
      reply_->Start(200, headers);
    }
    last_ = Clock::now();
    return bytes.empty() || reply_->Write(bytes);
  }
  bool quiet() const { return quiet_for(style_.keep_alive_ms); }
  bool quiet_for(int ms) const {
    return Clock::now() - last_ >= std::chrono::milliseconds(ms);
  }

 private:
  const AnswerStyle& style_;
  HttpReply* reply_;
  Clock::time_point last_ = Clock::now();
};

// Adds what an event tells about the work done.
void Count(const GenerateEvent& event, AnswerFacts* facts) {
  if (const auto* prompt = std::get_if<PromptDone>(&event)) {
    facts->prompt_tokens += prompt->prompt_tokens;
    facts->cached_tokens += prompt->cached_tokens;
  } else if (const auto* done = std::get_if<Done>(&event)) {
    facts->output_tokens += done->usage.output_tokens;
    const double first_ms = done->timings.first_token_ms;
    if (done->usage.output_tokens > 0 &&
        (facts->first_token_ms < 0 || first_ms < facts->first_token_ms)) {
      facts->first_token_ms = first_ms;
    }
  }
}

}  // namespace

Status AnswerWriter::FailureIn(const Done& done) const {
  return FailureOf(done);
}

int HttpStatusOf(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return 200;
    case StatusCode::kInvalidArgument:
    case StatusCode::kMalformed:
    case StatusCode::kUnsupported:
    case StatusCode::kFailedPrecondition:
      return 400;
    case StatusCode::kPermissionDenied:
      return 403;
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

Status LateError(const AnswerStyle& style, const Status& status,
                 HttpReply* reply) {
  if (reply->started()) reply->Write(style.late_error(status));
  return status;
}

Result<ModelLease> AcquireFor(const AnswerStyle& style, ModelHost* host,
                              std::string_view name,
                              std::optional<int64_t> keep_alive_s,
                              HttpReply* reply) {
  Outlet outlet(style, reply);
  const int head_ms = std::min(style.keep_alive_ms, kHeadAfterMs);
  const auto waiting = [&] {
    const bool head_due =
        style.stream && !reply->started() && outlet.quiet_for(head_ms);
    if (head_due || outlet.quiet()) outlet.Send(style.first_keep_alive);
    return !reply->gone();
  };
  auto lease =
      host->Acquire(name, {.keep_alive_s = keep_alive_s, .waiting = waiting});
  if (!lease.ok()) return LateError(style, lease.status(), reply);
  return lease;
}

Result<ModelLease> AcquireWhileThere(ModelHost* host, std::string_view name,
                                     const HttpReply& reply) {
  return host->Acquire(
      name, {.keep_alive_s = {}, .waiting = [&] { return !reply.gone(); }});
}

void Answer(const ModelLease& lease,
            const std::vector<GenerateRequest>& requests,
            const AnswerStyle& style, AnswerWriter* writer, HttpReply* reply) {
  Engine* engine = lease.engine.get();
  const auto fail = [&](const Status& status) {
    if (reply->started()) {
      reply->Write(style.late_error(status));
      return;
    }
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

  AnswerFacts facts = {.model = lease.model.name};
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
        Count(event, &facts);
        const Done* done = std::get_if<Done>(&event);
        if (done != nullptr && !style.stream) {
          const Status failed = writer->FailureIn(*done);
          if (!failed.ok()) {
            reply->Tell(facts);
            return fail(failed);
          }
        }
        writer->Add(static_cast<int>(i), event, &out);
        if (done != nullptr) {
          handles[i].reset();
          --open;
        }
      }
    }
    reply->Tell(facts);
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
