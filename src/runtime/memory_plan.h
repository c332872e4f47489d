// The memory that running a model takes, computed before anything is loaded.
#ifndef CARAT_RUNTIME_MEMORY_PLAN_H_
#define CARAT_RUNTIME_MEMORY_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/model_file.h"
#include "models/model.h"

namespace carat {

// A KV budget of exactly one context.
inline constexpr uint64_t kKvOneContext = 1;

struct MemoryPlan {
  struct Group {
    std::string name;    // "global" or "sliding 512"
    int layers = 0;      // that own a cache
    uint64_t bytes = 0;  // at context_tokens
  };
  int64_t context_tokens = 0;
  uint64_t file_bytes = 0;
  uint64_t weights_bytes = 0;     // packed
  std::vector<Group> kv_groups;   // of one sequence
  uint64_t kv_bytes = 0;          // budget of all sequences and caches
  uint64_t kv_context_bytes = 0;  // of it, one sequence at context_tokens
  uint64_t scratch_bytes = 0;     // activations of the largest step
  uint64_t tokenizer_bytes = 0;
  uint64_t program_bytes = 0;    // the process itself
  uint64_t on_disk_bytes = 0;    // tables that are read row by row
  uint64_t available_bytes = 0;  // on the machine now
  uint64_t total_bytes() const {
    return weights_bytes + kv_bytes + scratch_bytes + tokenizer_bytes +
           program_bytes;
  }
};

struct PlanOptions {
  int64_t context_tokens = 0;  // 0: the model's own, or what fits
  KvType kv_type = KvType::kF16;
  // Budget for keys and values; 0: one context and a share of what is left,
  // kKvOneContext: one context.
  uint64_t kv_bytes = kKvOneContext;
  int max_sequences = 16;     // that want logits in one step
  int64_t step_tokens = 512;  // largest prefill step
  int threads = 1;
};

// Errors: those of LoadModel; an impossible context; a KV budget that does not
// hold the context asked for.
Result<MemoryPlan> PlanMemory(const ModelFile& file,
                              const PlanOptions& options);
// The same for a model that was loaded (or planned) already.
Result<MemoryPlan> PlanMemory(const ModelFile& file, const Model& model,
                              const PlanOptions& options);

// kResourceExhausted when the plan does not fit, saying how much is missing and
// the largest context that would fit.
Status CheckFits(const ModelFile& file, const Model& model,
                 const MemoryPlan& plan, const PlanOptions& options);

}  // namespace carat

#endif  // CARAT_RUNTIME_MEMORY_PLAN_H_
