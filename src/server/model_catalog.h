// The models a server knows: those of the command line and those that store/
// finds on this machine, by name. Loads none. Thread-safe.
#ifndef CARAT_SERVER_MODEL_CATALOG_H_
#define CARAT_SERVER_MODEL_CATALOG_H_

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/model_host.h"
#include "base/json.h"
#include "base/status.h"
#include "store/roots.h"
#include "store/store.h"

namespace carat {

class ModelCatalog {
 public:
  struct Options {
    std::map<std::string, std::string> aliases;
    std::vector<StoreRoot> roots;
    std::string chat_format;
  };
  explicit ModelCatalog(Options options) : options_(std::move(options)) {}

  // Models of the command line, paths or names. Before anything else.
  Status Pin(const std::vector<std::string>& names);
  const std::vector<HostedModel>& pinned() const { return pinned_; }
  bool IsPinned(const HostedModel& model) const;

  // As ModelHost's.
  std::vector<HostedModel> List();
  Result<HostedModel> Find(std::string_view name);
  Result<ModelInfo> Describe(const HostedModel& model);
  Result<Json> Metadata(const HostedModel& model);

  // Find without aliases and the default.
  Result<HostedModel> FindExact(std::string_view name);
  // The folders have changed.
  void Rescan();

 private:
  std::shared_ptr<const Store> Scan();

  const Options options_;
  std::vector<HostedModel> pinned_;
  std::mutex mutex_;
  std::shared_ptr<const Store> store_;
  std::chrono::steady_clock::time_point scanned_;
  std::map<std::string, ModelInfo> described_;  // by digest
};

}  // namespace carat

#endif  // CARAT_SERVER_MODEL_CATALOG_H_
