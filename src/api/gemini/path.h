// Gemini's paths. Model names may hold slashes and colons, and clients do not
// encode them.
#ifndef CARAT_API_GEMINI_PATH_H_
#define CARAT_API_GEMINI_PATH_H_

#include <optional>
#include <string>
#include <string_view>

namespace carat {

struct GeminiPath {
  std::string version;   // "v1beta"; empty: none was given
  bool upload = false;   // "/upload/v1beta/files"
  std::string resource;  // "models", "files", "cachedContents" ...
  std::string id;        // "gemma4:e4b"; empty: the collection
  std::string method;    // "generateContent", after the last colon
};

// Nothing for a path of another protocol. Project and location of
// Vertex-style paths are dropped, and tunedModels are models.
std::optional<GeminiPath> ParseGeminiPath(std::string_view path);

// The name in "models/NAME", "publishers/google/models/NAME", "NAME" ...
std::string_view GeminiModelName(std::string_view name);

}  // namespace carat

#endif  // CARAT_API_GEMINI_PATH_H_
