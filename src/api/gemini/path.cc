#include "api/gemini/path.h"

#include "api/http.h"

namespace carat {
namespace {

bool TakePrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

// "projects/P/locations/L/" in front of a Vertex resource.
bool TakeLocation(std::string_view* rest) {
  std::string_view text = *rest;
  for (const std::string_view name : {"projects/", "locations/"}) {
    if (!TakePrefix(&text, name)) return false;
    const size_t end = text.find('/');
    if (end == text.npos || end == 0) return false;
    text.remove_prefix(end + 1);
  }
  *rest = text;
  return true;
}

bool IsVersion(std::string_view text) {
  return text == "v1beta" || text == "v1" || text == "v1alpha" ||
         text == "v1beta1";
}

// Methods that may follow a model's name. A colon before anything else is part
// of the name.
bool IsMethod(std::string_view text) {
  for (const std::string_view known :
       {"generateContent", "streamGenerateContent", "countTokens",
        "embedContent", "batchEmbedContents", "predict", "computeTokens",
        "download"}) {
    if (text == known) return true;
  }
  return false;
}

}  // namespace

std::optional<GeminiPath> ParseGeminiPath(std::string_view path) {
  const std::string decoded = PercentDecode(path);
  std::string_view rest = decoded;
  GeminiPath out;
  if (!TakePrefix(&rest, "/")) return std::nullopt;
  out.upload = TakePrefix(&rest, "upload/");
  const size_t slash = rest.find('/');
  if (IsVersion(rest.substr(0, slash)) && slash != rest.npos) {
    out.version = std::string(rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
  }
  TakeLocation(&rest);
  const bool publisher = TakePrefix(&rest, "publishers/google/");
  // Without a version only Vertex's unscoped form is Gemini's.
  if (out.version.empty() && !publisher) return std::nullopt;
  const size_t end = rest.find_first_of("/:");
  out.resource = std::string(rest.substr(0, end));
  if (out.resource == "tunedModels") out.resource = "models";
  bool known = false;
  for (const std::string_view name :
       {"models", "files", "cachedContents", "interactions"}) {
    known |= out.resource == name;
  }
  if (!known) return std::nullopt;
  if (end == rest.npos) return out;
  rest.remove_prefix(end + (rest[end] == '/' ? 1 : 0));
  const size_t colon = rest.rfind(':');
  if (colon != rest.npos && IsMethod(rest.substr(colon + 1))) {
    out.method = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
  }
  out.id = std::string(rest);
  return out;
}

std::string_view GeminiModelName(std::string_view name) {
  TakeLocation(&name);
  TakePrefix(&name, "publishers/google/");
  if (!TakePrefix(&name, "models/")) TakePrefix(&name, "tunedModels/");
  return name;
}

}  // namespace carat
