// Options that every command with a loaded model shares, and loading it.
#ifndef CARAT_CLI_ENGINE_OPTIONS_H_
#define CARAT_CLI_ENGINE_OPTIONS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "runtime/engine.h"

namespace CLI {
class App;
}  // namespace CLI

namespace carat {

struct EngineArguments {
  std::string model;
  int64_t context_tokens = 0;
  int threads = 0;
  std::string kv = "f16";
  uint64_t kv_bytes = kKvOneContext;
  std::string chat_format;
  std::string cache_dir;
  uint64_t cache_bytes = uint64_t{10} << 30;
  std::string packed_cache = "off";  // or on, or a folder
  uint64_t packed_cache_bytes = uint64_t{20} << 30;
  bool quiet = false;
  bool verbose = false;

  KvType kv_type() const {
    if (kv == "q8") return KvType::kQ8;
    return kv == "f32" ? KvType::kF32 : KvType::kF16;
  }
};

// MODEL, --ctx, --threads, --kv, --kv-memory.
void AddModelOptions(CLI::App& command, EngineArguments* arguments);
// --kv alone.
void AddKvTypeOption(CLI::App& command, EngineArguments* arguments);
// --cache-dir, --cache-size.
void AddCacheOptions(CLI::App& command, EngineArguments* arguments);
// --packed-cache, --packed-cache-size.
void AddPackedCacheOptions(CLI::App& command, EngineArguments* arguments);
// --chat-format.
void AddChatFormatOption(CLI::App& command, EngineArguments* arguments);
// --quiet, --verbose.
void AddNoiseOptions(CLI::App& command, EngineArguments* arguments);

// Where packed weights are kept without --packed-cache DIR; may be empty.
std::string DefaultPackedFolder();
// Fills what --packed-cache says. Errors: "on" without a cache folder.
Status SetPackedCache(const EngineArguments& arguments, EngineOptions* options);

// Finds and loads the model, with a progress bar on a terminal. Notes of the
// loader go to stderr with --verbose.
Result<std::unique_ptr<Engine>> LoadEngine(const EngineArguments& arguments);

// Most memory the process has had resident so far; 0 when unknown.
uint64_t PeakMemoryBytes();

}  // namespace carat

#endif  // CARAT_CLI_ENGINE_OPTIONS_H_
