// The parts that routes.cc dispatches to.
#ifndef CARAT_API_GEMINI_HANDLERS_H_
#define CARAT_API_GEMINI_HANDLERS_H_

#include <memory>

#include "api/gemini/context.h"
#include "api/gemini/path.h"
#include "api/gemini/read_contents.h"
#include "api/http.h"

namespace carat {

// One request on its way through a handler.
struct GeminiCall {
  GeminiContext* context;
  const HttpRequest& request;
  GeminiPath path;
  HttpReply* reply;
};

// GET of the list or of one model.
void HandleGeminiModels(const GeminiCall& call);
// generateContent and streamGenerateContent.
void HandleGeminiGenerate(const GeminiCall& call);
void HandleGeminiCountTokens(const GeminiCall& call);
// cachedContents: create, list, get, patch and delete.
void HandleGeminiCaches(const GeminiCall& call);
// files: the resumable upload, list, get, delete and download.
void HandleGeminiFiles(const GeminiCall& call);
// interactions: create, get, delete and cancel.
void HandleGeminiInteractions(const GeminiCall& call);

// The caller's files, for parts that refer to them. Null when none are stored.
std::unique_ptr<FileSource> GeminiFilesOf(const GeminiCall& call);

}  // namespace carat

#endif  // CARAT_API_GEMINI_HANDLERS_H_
