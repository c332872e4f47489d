// What Gemini's handlers work with, and their entry point.
#ifndef CARAT_API_GEMINI_CONTEXT_H_
#define CARAT_API_GEMINI_CONTEXT_H_

#include <memory>

#include "api/gemini/file_store.h"
#include "api/http.h"
#include "api/model_host.h"
#include "api/options.h"
#include "api/state_store.h"
#include "base/status.h"

namespace carat {

struct GeminiContext {
  ModelHost* host = nullptr;
  ApiOptions options;
  // Prefixes of prompts that clients pin and pay for: none is dropped before
  // its time.
  std::shared_ptr<StateStore> caches = std::make_shared<StateStore>(
      StateStore::Limits{.when_full = StateStore::WhenFull::kRefuse});
  std::shared_ptr<StateStore> interactions =
      std::make_shared<StateStore>(StateStore::Limits());
  std::shared_ptr<FileStore> files;  // null: none are stored
};

// Opens the folder of uploaded files that the options name, if any.
Status OpenGeminiFiles(GeminiContext* context);

// Requests that need no key: pieces of an upload, whose address holds a secret
// that only its owner was told. Google's Python client sends no key with them.
bool IsGeminiUploadPiece(const HttpRequest& request);

// Answers requests for Gemini's paths; false for any other path, with nothing
// written. Thread-safe.
bool HandleGemini(GeminiContext* context, const HttpRequest& request,
                  HttpReply* reply);

}  // namespace carat

#endif  // CARAT_API_GEMINI_CONTEXT_H_
