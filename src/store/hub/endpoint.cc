#include "store/hub/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/utf8.h"
#include "store/files.h"

namespace carat {
namespace {

constexpr const char* kDefault = "https://huggingface.co";
constexpr size_t kMaxTokenBytes = 4096;

struct Found {
  std::string token;
  std::string where;
};

Found FindToken(const EnvLookup& env) {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    if (std::string value = env(name); !value.empty()) {
      return {std::move(value), name};
    }
  }
  std::string path = env("HF_TOKEN_PATH");
  if (path.empty() && !env("HF_HOME").empty()) path = env("HF_HOME") + "/token";
  if (path.empty() && !env("XDG_CACHE_HOME").empty()) {
    path = env("XDG_CACHE_HOME") + "/huggingface/token";
  }
  if (path.empty() && !env("HOME").empty()) {
    path = env("HOME") + "/.cache/huggingface/token";
  }
  return {path.empty() ? "" : ReadSmallFile(path, kMaxTokenBytes), path};
}

}  // namespace

Result<HubEndpoint> ReadHubEndpoint(const EnvLookup& env) {
  HubEndpoint out = {.url = env("HF_ENDPOINT")};
  if (out.url.empty()) out.url = kDefault;
  while (out.url.ends_with('/')) out.url.pop_back();
  const bool scheme =
      out.url.starts_with("https://") || out.url.starts_with("http://");
  if (!scheme || out.url.find_first_of("@?#") != std::string::npos) {
    return InvalidArgument(
        fmt::format("HF_ENDPOINT is {}; expected https://HOST without a user's "
                    "name or a query.",
                    QuoteForMessage(out.url)));
  }
  Found found = FindToken(env);
  std::string& token = found.token;
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  token.erase(0, std::min(token.find_first_not_of(" \t\r\n"), token.size()));
  const bool plain = std::all_of(token.begin(), token.end(),
                                 [](char c) { return c > 0x20 && c < 0x7F; });
  if (!plain) {
    return InvalidArgument(fmt::format(
        "The token in {} has characters that no token has; expected "
        "one line such as hf_ and letters.",
        QuoteForMessage(found.where, 200)));
  }
  out.token = std::move(token);
  return out;
}

}  // namespace carat
