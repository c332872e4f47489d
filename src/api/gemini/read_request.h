// The body of generateContent, streamGenerateContent and countTokens to a
// GenerateRequest.
#ifndef CARAT_API_GEMINI_READ_REQUEST_H_
#define CARAT_API_GEMINI_READ_REQUEST_H_

#include <string>
#include <vector>

#include "api/gemini/read_contents.h"
#include "api/model_traits.h"
#include "base/json.h"
#include "base/status.h"
#include "carat/request.h"

namespace carat {

struct GeminiRequest {
  GenerateRequest generate;
  int candidates = 1;
  bool include_thoughts = false;
};

// `body` is checked to be an object here. Errors name the field.
Result<GeminiRequest> ReadGeminiRequest(const Json& body,
                                        const ModelTraits& traits,
                                        FileSource* files);

// The same without "contents" being needed: what cachedContents holds.
Result<GeminiRequest> ReadGeminiPrefix(const Json& body,
                                       const ModelTraits& traits,
                                       FileSource* files);

// Functions of Gemini's "tools", an array.
Result<std::vector<ToolDeclaration>> ReadGeminiTools(const Json& tools,
                                                     const std::string& where);

// A copy of `body` with the contents, tools and instruction of the cached
// `prefix` before its own. Errors: a body that sets what the prefix sets.
Result<Json> WithGeminiPrefix(const Json& prefix, const Json& body);

}  // namespace carat

#endif  // CARAT_API_GEMINI_READ_REQUEST_H_
