// A loaded model: immutable weights and configuration, shared by everyone, safe
// from any thread. What changes during a forward pass lives in a Workspace
// (owned by the caller, one per engine) and in KV pages (owned by kv/).
#ifndef CARAT_MODELS_MODEL_H_
#define CARAT_MODELS_MODEL_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "blocks/batch.h"
#include "blocks/kv_layout.h"
#include "blocks/observer.h"
#include "blocks/weight_loader.h"
#include "models/config.h"
#include "models/token_work.h"

namespace carat {

class Workspace {
 public:
  virtual ~Workspace() = default;
  Observer* observer = nullptr;
};

// Filled by Forward; points into the workspace, valid until its next use.
struct ForwardResult {
  const float* logits = nullptr;  // [outputs, vocab], outputs in row order
  int64_t outputs = 0;
  int64_t stride = 0;             // floats between rows of logits
  const float* hidden = nullptr;  // [outputs, hidden] after the final norm
  int64_t hidden_stride = 0;
};

class Model {
 public:
  virtual ~Model() = default;

  const DecoderConfig& config() const { return config_; }
  const KvLayout& kv_layout() const { return kv_layout_; }
  // Bytes of weights held in memory (packed matrices, norms, tables).
  uint64_t weight_bytes() const { return weight_bytes_; }
  // The part of them that is packed matrices.
  const Packing& packing() const { return packing_; }
  const TokenWork& work() const { return work_; }
  const std::vector<std::string>& notes() const { return notes_; }

  virtual std::unique_ptr<Workspace> NewWorkspace() const = 0;
  // Most bytes a workspace takes for steps of up to `rows` rows of which up to
  // `outputs` want logits.
  virtual uint64_t WorkspaceBytes(int64_t rows, int64_t outputs,
                                  int threads) const = 0;

  // Runs the rows of `batch` through the model: writes their keys and values
  // and computes logits of the rows that want them. Pages for all positions
  // must exist. Errors: a token outside the vocabulary.
  virtual Status Forward(const Batch& batch, Workspace& workspace,
                         ThreadPool& pool, ForwardResult* result) const = 0;

 protected:
  // Keeps what `loader` has to say, at the end of loading.
  void Finish(WeightLoader& loader) {
    weight_bytes_ = loader.packed_bytes();
    packing_ = loader.TakePacking();
    work_ = CountTokenWork(loader.pieces(), config_, kv_layout_);
    notes_ = loader.notes();
  }

  DecoderConfig config_;
  KvLayout kv_layout_;
  uint64_t weight_bytes_ = 0;
  Packing packing_;
  TokenWork work_;
  std::vector<std::string> notes_;
};

struct ModelOptions {
  KvType kv_type = KvType::kF16;
  // kPlan: everything but the weights' bytes; weight_bytes() is what kLoad
  // would hold.
  WeightLoader::Mode mode = WeightLoader::Mode::kLoad;
  // Where matrices go, for kLoad: as large as a plan's packing() says. Outlives
  // the model. Null: each has memory of its own.
  WeightMemory* memory = nullptr;
  WeightLoader::Progress progress;
  WeightLoader::GoOn go_on;
};

// Loads whatever `file` holds. `file` must outlive the model. `pool` may be
// null in plan mode. Errors: unknown architecture (says which, and which are
// known), missing or misshapen tensors, no memory.
Result<std::unique_ptr<Model>> LoadModel(const ModelFile& file,
                                         const ModelOptions& options,
                                         ThreadPool* pool);
// "gemma3, gemma4"
std::string KnownArchitectures();
// The error for an architecture carat does not run: which, and which are known.
Status UnknownArchitecture(const ModelFile& file, const std::string& name);

}  // namespace carat

#endif  // CARAT_MODELS_MODEL_H_
