#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string>
#include <utility>

#include "api/answer.h"
#include "api/base64.h"
#include "api/body.h"
#include "api/fields.h"
#include "api/gemini/error.h"
#include "api/gemini/handlers.h"
#include "api/wire_time.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr Fields::Style kProto = Fields::Style::kProto;
constexpr const char* kStatusHeader = "x-goog-upload-status";
// What a prompt can hold, and what a download takes into memory.
constexpr int64_t kMostPromptBytes = int64_t{64} << 20;
constexpr int64_t kMostDownloadBytes = int64_t{1} << 30;

// The server's own address as the client knows it.
std::string Origin(const HttpRequest& request) {
  const std::string* host = request.Header("host");
  return "http://" + (host != nullptr && !host->empty() ? *host : "localhost");
}

Json FileJson(const HttpRequest& request, const StoredFile& file) {
  const std::string uri = Origin(request) + "/v1beta/files/" + file.id;
  Json out = Json::MakeObject();
  out.Set("name", "files/" + file.id);
  if (!file.display_name.empty()) out.Set("displayName", file.display_name);
  out.Set("mimeType", file.mime_type);
  out.Set("sizeBytes", std::to_string(file.bytes));
  out.Set("createTime", Rfc3339(file.created_ns));
  out.Set("updateTime", Rfc3339(file.created_ns));
  out.Set("expirationTime", Rfc3339(file.expires_ns));
  // Base64 of the hexadecimal digits: the bytes field of a proto.
  out.Set("sha256Hash", Base64Encode(file.sha256));
  out.Set("uri", uri);
  out.Set("downloadUri", uri + ":download?alt=media");
  out.Set("state", "ACTIVE");
  out.Set("source", "UPLOADED");
  return out;
}

int64_t HeaderNumber(const HttpRequest& request, std::string_view name) {
  const std::string* text = request.Header(name);
  int64_t value = 0;
  if (text == nullptr) return 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, value);
  return error == std::errc() && rest == end ? value : -1;
}

// Starts a resumable upload: answers with the address for the pieces.
Status Start(const GeminiCall& call) {
  StoredFile file;
  file.caller = call.request.caller;
  if (!call.request.body.empty()) {
    CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
    Fields fields(body, "", kProto);
    if (const Json* given = fields.Object("file")) {
      Fields about(*given, "file", kProto);
      file.mime_type = about.String("mimeType").value_or("");
      file.display_name = about.String("displayName").value_or("");
      file.bytes = about.Int("sizeBytes").value_or(0);
      CARAT_RETURN_IF_ERROR(about.status());
    }
    CARAT_RETURN_IF_ERROR(fields.status());
  }
  const HttpRequest& request = call.request;
  if (const int64_t announced =
          HeaderNumber(request, "x-goog-upload-header-content-length");
      announced != 0) {
    file.bytes = announced;
  }
  if (const std::string* type =
          request.Header("x-goog-upload-header-content-type");
      type != nullptr && file.mime_type.empty()) {
    file.mime_type = *type;
  }
  if (file.bytes < 0) {
    return InvalidArgument(
        "X-Goog-Upload-Header-Content-Length must be a number of bytes.");
  }
  if (file.mime_type.empty()) file.mime_type = "application/octet-stream";
  CARAT_ASSIGN_OR_RETURN(const std::string id,
                         call.context->files->BeginUpload(file));
  const std::string address = fmt::format(
      "{}/upload/v1beta/files?upload_id={}&upload_protocol="
      "resumable",
      Origin(request), id);
  SendBody(call.reply, 200, "application/json", "{}",
           {{"x-goog-upload-url", address}, {kStatusHeader, "active"}});
  return OkStatus();
}

// "upload", "upload, finalize", "finalize", "query" or "cancel".
Status Continue(const GeminiCall& call, const std::string& id,
                std::string_view command) {
  FileStore& files = *call.context->files;
  const auto active = [&](int64_t received) {
    SendBody(call.reply, 200, "application/json", "{}",
             {{kStatusHeader, "active"},
              {"x-goog-upload-size-received", std::to_string(received)}});
    return OkStatus();
  };
  if (command == "query") {
    CARAT_ASSIGN_OR_RETURN(const int64_t received, files.Received(id));
    return active(received);
  }
  if (command == "cancel") {
    files.Abandon(id);
    SendBody(call.reply, 200, "application/json", "{}",
             {{kStatusHeader, "cancelled"}});
    return OkStatus();
  }
  const bool uploads = command.find("upload") != command.npos;
  const bool finalizes = command.find("finalize") != command.npos;
  if (!uploads && !finalizes) {
    return InvalidArgument(fmt::format(
        "X-Goog-Upload-Command is {}; known are start, upload, finalize, "
        "query and cancel.",
        QuoteForMessage(command)));
  }
  int64_t received = 0;
  if (uploads) {
    CARAT_ASSIGN_OR_RETURN(
        received,
        files.Append(id, HeaderNumber(call.request, "x-goog-upload-offset"),
                     call.request.body));
  }
  if (!finalizes) return active(received);
  CARAT_ASSIGN_OR_RETURN(const StoredFile file, files.Finish(id));
  Json out = Json::MakeObject();
  out.Set("file", FileJson(call.request, file));
  SendBody(call.reply, 200, "application/json", out.Dump(),
           {{kStatusHeader, "final"}});
  return OkStatus();
}

Status UploadStep(const GeminiCall& call) {
  const std::string* command = call.request.Header("x-goog-upload-command");
  const std::string* protocol = call.request.Header("x-goog-upload-protocol");
  if (command == nullptr) {
    return Unsupported(fmt::format(
        "The upload protocol {} is not supported; use the resumable one "
        "(X-Goog-Upload-Protocol: resumable, X-Goog-Upload-Command: start).",
        QuoteForMessage(protocol ? *protocol : "")));
  }
  if (*command == "start") return Start(call);
  const auto id = call.request.Query("upload_id");
  if (!id) {
    return InvalidArgument(
        "The address lacks 'upload_id'; use the one that x-goog-upload-url "
        "gave.");
  }
  return Continue(call, *id, *command);
}

Status Download(const GeminiCall& call, const StoredFile& file) {
  CARAT_ASSIGN_OR_RETURN(const std::string bytes,
                         call.context->files->Read(file, kMostDownloadBytes));
  // Uploaded bytes must not run as a page of this server.
  SendBody(call.reply, 200, "application/octet-stream", bytes,
           {{"x-content-type-options", "nosniff"},
            {"content-disposition", "attachment"}});
  return OkStatus();
}

Status Run(const GeminiCall& call) {
  if (call.context->files == nullptr) {
    return Unsupported("This server stores no files.");
  }
  FileStore& files = *call.context->files;
  const std::string& method = call.request.method;
  const std::string& caller = call.request.caller;
  if (call.path.upload && (method == "POST" || method == "PUT")) {
    return UploadStep(call);
  }
  if (call.path.id.empty() && method == "GET") {
    Json list = Json::MakeArray();
    for (const StoredFile& file : files.List(caller)) {
      list.Append(FileJson(call.request, file));
    }
    Json out = Json::MakeObject();
    out.Set("files", std::move(list));
    SendGeminiJson(call.reply, out);
    return OkStatus();
  }
  if (!call.path.id.empty() && method == "DELETE") {
    CARAT_RETURN_IF_ERROR(files.Delete(caller, call.path.id));
    SendGeminiJson(call.reply, Json::MakeObject());
    return OkStatus();
  }
  if (!call.path.id.empty() && method == "GET") {
    CARAT_ASSIGN_OR_RETURN(const StoredFile file,
                           files.Find(caller, call.path.id));
    if (call.path.method == "download") return Download(call, file);
    SendGeminiJson(call.reply, FileJson(call.request, file));
    return OkStatus();
  }
  return NotFound(fmt::format("There is nothing at {} {}.", method,
                              QuoteForMessage(call.request.path)));
}

class CallersFiles : public FileSource {
 public:
  CallersFiles(FileStore* store, std::string caller)
      : store_(store), caller_(std::move(caller)) {}

  Result<File> Open(std::string_view uri) override {
    const size_t at = uri.rfind("files/");
    if (at == uri.npos) {
      return InvalidArgument(fmt::format(
          "The address {} is not that of an uploaded file; addresses are not "
          "fetched. Upload the file, or send it inline.",
          QuoteForMessage(uri)));
    }
    std::string_view id = uri.substr(at + 6);
    id = id.substr(0, id.find_first_of(":?"));
    CARAT_ASSIGN_OR_RETURN(const StoredFile file,
                           store_->Find(caller_, std::string(id)));
    CARAT_ASSIGN_OR_RETURN(std::string bytes,
                           store_->Read(file, kMostPromptBytes));
    return File{.mime_type = file.mime_type,
                .bytes = std::make_shared<const std::string>(std::move(bytes))};
  }

 private:
  FileStore* store_;
  std::string caller_;
};

}  // namespace

void HandleGeminiFiles(const GeminiCall& call) {
  const Status status = Run(call);
  if (status.ok()) return;
  // Clients look for the status of the upload in every answer and try again
  // without it.
  HttpHeaders more;
  if (call.path.upload) more.emplace_back(kStatusHeader, "final");
  SendBody(call.reply, HttpStatusOf(status.code()),
           "application/json; charset=UTF-8", GeminiErrorBody(status).Dump(2),
           std::move(more));
}

std::unique_ptr<FileSource> GeminiFilesOf(const GeminiCall& call) {
  if (call.context->files == nullptr) return nullptr;
  return std::make_unique<CallersFiles>(call.context->files.get(),
                                        call.request.caller);
}

Status OpenGeminiFiles(GeminiContext* context) {
  const ApiOptions& options = context->options;
  if (options.files_folder.empty()) return OkStatus();
  CARAT_ASSIGN_OR_RETURN(
      context->files,
      FileStore::Open({.folder = options.files_folder,
                       .max_file_bytes = options.max_file_bytes,
                       .max_total_bytes = options.max_files_bytes}));
  return OkStatus();
}

bool IsGeminiUploadPiece(const HttpRequest& request) {
  const std::string* command = request.Header("x-goog-upload-command");
  return request.path == "/upload/v1beta/files" && command != nullptr &&
         *command != "start" && request.Query("upload_id").has_value();
}

}  // namespace carat
