#include "store/roots.h"

#include <algorithm>
#include <cstdlib>

namespace carat {
namespace {

std::string UnderHome(const EnvLookup& env, const char* path) {
  const std::string home = env("HOME");
  return home.empty() ? "" : home + "/" + path;
}

std::string UserCache(const EnvLookup& env) {
  const std::string xdg = env("XDG_CACHE_HOME");
  return xdg.empty() ? UnderHome(env, ".cache") : xdg;
}

// An empty base gives an empty path.
std::string Join(const std::string& base, const char* name) {
  return base.empty() ? "" : base + "/" + name;
}

}  // namespace

const char* StoreKindName(StoreKind kind) {
  switch (kind) {
    case StoreKind::kCarat:
      return "carat";
    case StoreKind::kOllama:
      return "ollama";
    case StoreKind::kHuggingFace:
      return "hf";
    case StoreKind::kLmStudio:
      return "lmstudio";
  }
  return "?";
}

const char* StoreKindTitle(StoreKind kind) {
  switch (kind) {
    case StoreKind::kCarat:
      return "carat";
    case StoreKind::kOllama:
      return "Ollama";
    case StoreKind::kHuggingFace:
      return "Hugging Face";
    case StoreKind::kLmStudio:
      return "LM Studio";
  }
  return "?";
}

std::string ProcessEnv(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string CacheFolder(const EnvLookup& env) {
  const std::string own = env("CARAT_CACHE");
  return own.empty() ? Join(UserCache(env), "carat") : own;
}

std::string ModelsFolder(const EnvLookup& env) {
  const std::string own = env("CARAT_MODELS");
  return own.empty() ? Join(CacheFolder(env), "models") : own;
}

std::vector<StoreRoot> DefaultRoots(const EnvLookup& env) {
  std::vector<StoreRoot> roots;
  const auto add = [&roots](StoreKind kind, const std::string& path) {
    if (path.empty()) return;
    const bool known =
        std::any_of(roots.begin(), roots.end(), [&](const StoreRoot& root) {
          return root.kind == kind && root.path == path;
        });
    if (!known) roots.push_back({kind, path});
  };
  add(StoreKind::kCarat, ModelsFolder(env));

  add(StoreKind::kOllama, env("OLLAMA_MODELS"));
  add(StoreKind::kOllama, UnderHome(env, ".ollama/models"));
  // The system service's own user.
  add(StoreKind::kOllama, "/usr/share/ollama/.ollama/models");

  add(StoreKind::kHuggingFace, env("HF_HUB_CACHE"));
  add(StoreKind::kHuggingFace, env("HUGGINGFACE_HUB_CACHE"));
  add(StoreKind::kHuggingFace, Join(env("HF_HOME"), "hub"));
  add(StoreKind::kHuggingFace, Join(UserCache(env), "huggingface/hub"));

  add(StoreKind::kLmStudio, UnderHome(env, ".lmstudio/models"));
  add(StoreKind::kLmStudio, UnderHome(env, ".cache/lm-studio/models"));
  return roots;
}

}  // namespace carat
