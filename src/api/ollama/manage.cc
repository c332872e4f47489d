#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

#include "api/body.h"
#include "api/fields.h"
#include "api/ollama/handlers.h"
#include "base/utf8.h"

namespace carat {
namespace {

// Between two lines about the same file.
constexpr auto kProgressEvery = std::chrono::milliseconds(200);

// A model's name under its new key or its old one.
Result<std::string> NameIn(const Json& body) {
  Fields fields(body, "");
  std::string name = fields.String("model").value_or("");
  if (name.empty()) name = fields.String("name").value_or("");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (name.empty()) return InvalidArgument("'model' is required.");
  return name;
}

Json StatusJson(std::string_view status) {
  Json out = Json::MakeObject();
  out.Set("status", status);
  return out;
}

// Lines of progress. The head is sent with the first line, so that what fails
// at once has its own HTTP status.
class ProgressLines {
 public:
  ProgressLines(const OllamaCall& call, bool stream)
      : reply_(call.reply), stream_(stream) {}

  // False when the client is gone.
  bool Send(const Json& line) {
    if (!stream_) return !reply_->gone();
    if (!reply_->started()) {
      reply_->Start(200, {{"content-type", "application/x-ndjson"}});
    }
    return reply_->Write(line.Dump() + "\n");
  }
  void End(const Status& status) {
    if (!status.ok()) {
      if (!reply_->started()) return SendOllamaError(reply_, status);
      Send(OllamaErrorBody(status));
    } else if (stream_) {
      Send(StatusJson("success"));
    } else {
      SendOllamaJson(reply_, StatusJson("success"));
    }
  }

 private:
  HttpReply* reply_;
  bool stream_;
};

Json ProgressJson(const PullProgress& progress) {
  Json line = StatusJson(progress.status);
  if (!progress.digest.empty()) {
    const std::string short_digest = progress.digest.substr(0, 12);
    if (progress.status == "pulling") {
      line.Set("status", "pulling " + short_digest);
    }
    line.Set("digest", "sha256:" + progress.digest);
  } else if (!progress.file.empty()) {
    // A small file, of which the hub gives no SHA-256.
    line.Set("status", "pulling " + progress.file);
  }
  if (progress.total_bytes > 0) {
    line.Set("total", progress.total_bytes);
    line.Set("completed", progress.done_bytes);
  }
  return line;
}

Status Pull(const OllamaCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  CARAT_ASSIGN_OR_RETURN(const std::string name, NameIn(body));
  Fields fields(body, "");
  const bool stream = fields.Bool("stream").value_or(true);
  CARAT_RETURN_IF_ERROR(fields.status());
  ProgressLines lines(call, stream);
  using Clock = std::chrono::steady_clock;
  Clock::time_point last{};
  std::string last_status;
  uint64_t last_bytes = 0;
  const Status status =
      call.context->host->Pull(name, [&](const PullProgress& progress) {
        const std::string key = progress.status + progress.file;
        const bool finished = progress.done_bytes == progress.total_bytes;
        const bool news =
            key != last_status || progress.done_bytes != last_bytes;
        const bool early = key == last_status && !finished &&
                           Clock::now() - last < kProgressEvery;
        if (!news || early) return !call.reply->gone();
        last = Clock::now();
        last_status = key;
        last_bytes = progress.done_bytes;
        return lines.Send(ProgressJson(progress));
      });
  lines.End(status);
  return OkStatus();
}

// "sha256:HEX", "sha256-HEX" or HEX to HEX.
Result<std::string> DigestIn(std::string_view text, std::string_view where) {
  for (const std::string_view prefix : {"sha256:", "sha256-"}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  bool hex = text.size() == 64;
  for (const char c : text) {
    hex &= (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  }
  if (!hex) {
    return InvalidArgument(
        fmt::format("{} is {}; expected sha256: and 64 hexadecimal digits.",
                    where, QuoteForMessage(text)));
  }
  return std::string(text);
}

Status Create(const OllamaCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  CARAT_ASSIGN_OR_RETURN(const std::string name, NameIn(body));
  Fields fields(body, "");
  const std::string from = fields.String("from").value_or("");
  const Json* files = fields.Object("files");
  const bool stream = fields.Bool("stream").value_or(true);
  CARAT_RETURN_IF_ERROR(fields.status());
  for (const char* unsupported :
       {"template", "system", "parameters", "messages", "adapters", "quantize",
        "modelfile"}) {
    const Json* value = fields.Any(unsupported);
    if (value == nullptr || *value == Json("")) continue;
    return Unsupported(fmt::format(
        "'{}' cannot be part of a model here; give it with each request.",
        unsupported));
  }
  Status status;
  if (!from.empty()) {
    status = call.context->host->Copy(from, name);
    if (!status.ok()) status = OllamaModelError(from, status);
  } else if (files != nullptr && files->as_object().size() == 1) {
    const auto& [file, digest] = files->as_object().front();
    if (!digest.is_string()) {
      return InvalidArgument("'files' must map a file's name to its digest.");
    }
    CARAT_ASSIGN_OR_RETURN(
        const std::string hex,
        DigestIn(digest.as_string(), fmt::format("files.{}", file)));
    status = call.context->host->CreateFromBlob(name, hex);
  } else {
    return InvalidArgument(
        "Give 'from' (a model) or 'files' with exactly one GGUF file.");
  }
  ProgressLines(call, stream).End(status);
  return OkStatus();
}

Status Copy(const OllamaCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  Fields fields(body, "");
  const std::string from = fields.String("source").value_or("");
  const std::string to = fields.String("destination").value_or("");
  if (from.empty()) fields.Fail("source", "the name of a model");
  if (to.empty()) fields.Fail("destination", "a name for the copy");
  CARAT_RETURN_IF_ERROR(fields.status());
  const Status status = call.context->host->Copy(from, to);
  if (!status.ok()) return OllamaModelError(from, status);
  SendBody(call.reply, 200, "application/json", "");
  return OkStatus();
}

Status Delete(const OllamaCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  CARAT_ASSIGN_OR_RETURN(const std::string name, NameIn(body));
  const Status status = call.context->host->Delete(name);
  if (!status.ok()) return OllamaModelError(name, status);
  SendBody(call.reply, 200, "application/json", "");
  return OkStatus();
}

Status Blob(const OllamaCall& call, std::string_view text) {
  CARAT_ASSIGN_OR_RETURN(const std::string digest,
                         DigestIn(text, "The digest"));
  ModelHost* host = call.context->host;
  const bool there = host->HasBlob(digest);
  if (call.request.method == "HEAD") {
    SendBody(call.reply, there ? 200 : 404, "application/json", "");
    return OkStatus();
  }
  if (!there) CARAT_RETURN_IF_ERROR(host->PutBlob(digest, call.request.body));
  SendBody(call.reply, there ? 200 : 201, "application/json", "");
  return OkStatus();
}

void Finish(const OllamaCall& call, const Status& status) {
  if (!status.ok()) SendOllamaError(call.reply, status);
}

}  // namespace

void HandleOllamaPull(const OllamaCall& call) { Finish(call, Pull(call)); }
void HandleOllamaCreate(const OllamaCall& call) { Finish(call, Create(call)); }
void HandleOllamaCopy(const OllamaCall& call) { Finish(call, Copy(call)); }
void HandleOllamaDelete(const OllamaCall& call) { Finish(call, Delete(call)); }
void HandleOllamaBlob(const OllamaCall& call, std::string_view digest) {
  Finish(call, Blob(call, digest));
}

}  // namespace carat
