// carat pull: a model from a hub, or from a file, into carat's own folder.
//
//   ROOT/hub/ORG/REPO/COMMIT/...  files, under their names in the repository
//   ROOT/hub/.partial/DIGEST      what is under way, named by content
//   ROOT/imported/NAME/DIGEST/... copies of local files
//   ROOT/pulled/NAME.json         records (store/pulled.h)
#ifndef CARAT_STORE_HUB_PULL_H_
#define CARAT_STORE_HUB_PULL_H_

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/http_fetcher.h"
#include "store/hub/endpoint.h"
#include "store/hub/model_name.h"
#include "store/hub/pull_progress.h"
#include "store/hub/retry.h"
#include "store/hub/select_files.h"
#include "store/pulled.h"

namespace carat {

struct PullRequest {
  HubName name;
  Projector projector = Projector::kInclude;
  bool dry_run = false;  // say what would be done
};

struct PullSetup {
  std::string models_folder;
  HubEndpoint endpoint;
  HttpFetcher* fetcher = nullptr;
  RetryOptions retry;  // a missing sleep is filled in
  PullListener progress;
  std::function<void(const std::string& line)> note;  // may be empty
};

struct PullOutcome {
  PulledModel model;  // in a dry run without the digests of small files
  std::string path;
  uint64_t fetched_bytes = 0;  // to be fetched, in a dry run
};

Result<PullOutcome> PullModel(const PullRequest& request,
                              const PullSetup& setup);

struct ImportRequest {
  std::string source;                         // a GGUF or a folder
  std::string name;                           // IsPulledName
  std::string sha256;                         // of the GGUF; empty: not checked
  Projector projector = Projector::kInclude;  // of a folder
  bool dry_run = false;
};

// Copies (on file systems that can, without taking space) a local model.
Result<PullOutcome> ImportModel(const ImportRequest& request,
                                const std::string& models_folder,
                                const PullListener& progress);

}  // namespace carat

#endif  // CARAT_STORE_HUB_PULL_H_
