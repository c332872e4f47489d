// The models that requests can name: those on disk and those in memory. api/
// asks through this interface; server/ implements it over store/ and Engine,
// tests over one tiny model. Every method is thread-safe.
#ifndef CARAT_API_MODEL_HOST_H_
#define CARAT_API_MODEL_HOST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "runtime/engine.h"
#include "store/hub/pull_progress.h"

namespace carat {

// A model on this machine, loaded or not.
struct HostedModel {
  std::string name;  // what List() shows and answers carry
  std::string path;
  uint64_t bytes = 0;      // on disk
  int64_t modified_s = 0;  // Unix time
  std::string digest;      // 64 hex digits, stable for the same content
};

// Keeps the model in memory while it lives.
struct ModelLease {
  HostedModel model;
  std::shared_ptr<Engine> engine;
};

struct RunningModel {
  HostedModel model;
  std::shared_ptr<Engine> engine;
  uint64_t memory_bytes = 0;
  int64_t expires_s = 0;  // Unix time; 0: never
};

struct AcquireOptions {
  // How long the model stays after its last use (< 0: for ever), absent: the
  // server's default.
  std::optional<int64_t> keep_alive_s;
  // Called now and then, on the caller's thread, while the model loads. False
  // gives up (kCancelled); the load goes on for others, and ends without any.
  std::function<bool()> waiting;
};

class ModelHost {
 public:
  virtual ~ModelHost() = default;

  // By name.
  virtual std::vector<HostedModel> List() = 0;
  // The model a name means; an empty name means the default model. Errors:
  // kNotFound, kInvalidArgument (several fit).
  virtual Result<HostedModel> Find(std::string_view name) = 0;
  // What its file says, without loading it.
  virtual Result<ModelInfo> Describe(const HostedModel& model) = 0;
  // The file's metadata for people and tools, as a JSON object (GGUF keys).
  virtual Result<Json> Metadata(const HostedModel& model) = 0;

  // Loads the model unless it is in memory; waits for that. Errors: as Find,
  // kResourceExhausted (does not fit), kUnavailable (going down).
  virtual Result<ModelLease> Acquire(std::string_view name,
                                     const AcquireOptions& options) = 0;
  virtual std::vector<RunningModel> Running() = 0;
  // Lets go of a loaded model as soon as it is idle. OK when not loaded.
  virtual Status Unload(std::string_view name) = 0;

  // Downloads. `progress` returns false to stop. Errors are full sentences.
  virtual Status Pull(
      const std::string& name,
      const std::function<bool(const PullProgress&)>& progress) = 0;
  // A second name for the same files.
  virtual Status Copy(const std::string& from, const std::string& to) = 0;
  // Deletes carat's own copy; models of other programs are refused.
  virtual Status Delete(const std::string& name) = 0;
  // Names an uploaded file (by its digest, 64 hex digits) as a model.
  virtual Status CreateFromBlob(const std::string& name,
                                const std::string& digest) = 0;
  virtual bool HasBlob(const std::string& digest) = 0;
  // Errors: kInvalidArgument when the bytes do not have that digest.
  virtual Status PutBlob(const std::string& digest, std::string_view bytes) = 0;
};

}  // namespace carat

#endif  // CARAT_API_MODEL_HOST_H_
