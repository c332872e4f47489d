// The models of a server: found through store/, loaded when a request names
// them, kept for a while, let go of when another needs the memory. Thread-safe.
// Outlives every lease.
#ifndef CARAT_SERVER_STORE_MODEL_HOST_H_
#define CARAT_SERVER_STORE_MODEL_HOST_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/model_host.h"
#include "runtime/engine.h"
#include "server/pull_jobs.h"
#include "store/roots.h"

namespace carat {

struct ModelHostOptions {
  // Paths or names from the command line. The first is the default model;
  // they stay loaded once they are.
  std::vector<std::string> models;
  // Other names: "gpt-4o" -> "gemma3:4b"; "*" catches every unknown name.
  std::map<std::string, std::string> aliases;
  EngineOptions engine;          // model_path is set for each
  uint64_t memory_bytes = 0;     // for all models; 0: most of what is free
  int64_t keep_alive_s = 300;    // < 0: for ever
  std::vector<StoreRoot> roots;  // where to look
  std::string models_folder;     // carat's own; may be empty
  PullFunction pull;             // empty: downloads are refused
  // Told when a model was loaded or let go of, for the log.
  std::function<void(const std::string& line)> note;
};

class StoreModelHost : public ModelHost {
 public:
  // Errors: a model of the command line that cannot be found.
  static Result<std::unique_ptr<StoreModelHost>> Create(
      ModelHostOptions options);

  // Loads the models of the command line. `waiting` as in AcquireOptions.
  virtual Status LoadPinned(const std::function<bool()>& waiting) = 0;
  // From now on nothing is loaded: Acquire says kUnavailable.
  virtual void Shutdown() = 0;
  virtual uint64_t memory_bytes() const = 0;
};

}  // namespace carat

#endif  // CARAT_SERVER_STORE_MODEL_HOST_H_
