// Where models lie on this machine: carat's own folder and the stores of
// Ollama, Hugging Face and LM Studio, as these programs choose their folders.
#ifndef CARAT_STORE_ROOTS_H_
#define CARAT_STORE_ROOTS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace carat {

enum class StoreKind { kCarat, kOllama, kHuggingFace, kLmStudio };

// "carat", "ollama", "hf", "lmstudio": as written before the colon of a
// qualified name.
const char* StoreKindName(StoreKind kind);
// "carat", "Ollama", "Hugging Face", "LM Studio": for people.
const char* StoreKindTitle(StoreKind kind);

struct StoreRoot {
  StoreKind kind = StoreKind::kCarat;
  std::string path;  // need not exist
};

// The value of an environment variable; empty when unset.
using EnvLookup = std::function<std::string(const char* name)>;
std::string ProcessEnv(const char* name);

// carat's cache folder: CARAT_CACHE, or carat under XDG_CACHE_HOME, or
// ~/.cache/carat. Empty when none of them is set.
std::string CacheFolder(const EnvLookup& env = ProcessEnv);
// Where carat keeps models: CARAT_MODELS, or models under CacheFolder().
std::string ModelsFolder(const EnvLookup& env = ProcessEnv);

// Every place to look, best first, each path once.
std::vector<StoreRoot> DefaultRoots(const EnvLookup& env = ProcessEnv);

}  // namespace carat

#endif  // CARAT_STORE_ROOTS_H_
