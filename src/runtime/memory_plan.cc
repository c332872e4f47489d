#include "runtime/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/memory_info.h"
#include "kv/kv_sequence.h"

namespace carat {
namespace {

// The program with its libraries, stacks and small heap, measured with an empty
// model; and what a vocabulary entry and a merge cost in the tokenizer's
// tables.
constexpr uint64_t kProgramBytes = uint64_t{9} << 20;
constexpr uint64_t kTokenBytes = 92;
constexpr uint64_t kMergeBytes = 80;
// Kept free for the rest of the machine.
constexpr uint64_t kReserveBytes = uint64_t{256} << 20;

constexpr int64_t kSmallestContext = 512;

// A budget that nobody chose: contexts beside the first, as far as they take
// no more than this share of what the plan leaves free.
constexpr uint64_t kSpareContexts = 7;
constexpr uint64_t kSpareShare = 4;

uint64_t OnDiskBytes(const ModelFile& file, const DecoderConfig& config) {
  if (config.per_layer_width == 0) return 0;
  uint64_t bytes = 0;
  for (const TensorView& t : file.tensors()) {
    if (t.name == "per_layer_token_embd.weight" ||
        t.name.ends_with("embed_tokens_per_layer.weight")) {
      bytes += t.bytes;
    }
  }
  return bytes;
}

uint64_t TokenizerBytes(const ModelFile& file, const DecoderConfig& config) {
  uint64_t merges = 0;
  if (file.kind() == ModelFile::Kind::kGguf) {
    const auto array = file.metadata().Array("tokenizer.ggml.merges");
    if (array.ok() && *array != nullptr) merges = (*array)->count;
  } else if (!file.tokenizer_json().empty()) {
    merges = config.vocab * 2;  // as Gemma's vocabularies have
  }
  return kTokenBytes * config.vocab + kMergeBytes * merges;
}

MemoryPlan PlanAt(const ModelFile& file, const Model& model,
                  const PlanOptions& options, int64_t context) {
  MemoryPlan plan;
  plan.context_tokens = context;
  plan.file_bytes = file.file_bytes();
  plan.weights_bytes = model.weight_bytes();
  for (const KvGroup& group : model.kv_layout().groups) {
    const uint64_t bytes =
        KvSequence::GroupBytesFor(group, context, options.step_tokens);
    plan.kv_groups.push_back(
        {.name = group.window > 0 ? fmt::format("sliding {}", group.window)
                                  : std::string("global"),
         .layers = static_cast<int>(group.slices.size()),
         .bytes = bytes});
    plan.kv_context_bytes += bytes;
  }
  plan.kv_bytes = options.kv_bytes > kKvOneContext ? options.kv_bytes
                                                   : plan.kv_context_bytes;
  plan.scratch_bytes = model.WorkspaceBytes(
      std::min(options.step_tokens, context),
      std::clamp<int64_t>(options.max_sequences, 1,
                          std::min(options.step_tokens, context)),
      options.threads);
  plan.tokenizer_bytes = TokenizerBytes(file, model.config());
  plan.program_bytes = kProgramBytes;
  plan.on_disk_bytes = OnDiskBytes(file, model.config());
  plan.available_bytes = ReadMemoryInfo().available;
  return plan;
}

bool Fits(const MemoryPlan& plan) {
  return plan.available_bytes == 0 ||
         plan.total_bytes() + kReserveBytes <= plan.available_bytes;
}

// The same, the context within the KV budget too.
bool FitsBudget(const MemoryPlan& plan) {
  return plan.kv_context_bytes <= plan.kv_bytes && Fits(plan);
}

// Gives a budget that nobody chose its share of what is left.
MemoryPlan WithSpareKv(MemoryPlan plan, const PlanOptions& options) {
  if (options.kv_bytes != 0 || !Fits(plan) || plan.available_bytes == 0) {
    return plan;
  }
  const uint64_t left =
      plan.available_bytes - plan.total_bytes() - kReserveBytes;
  plan.kv_bytes +=
      std::min(left / kSpareShare, kSpareContexts * plan.kv_context_bytes);
  return plan;
}

// The largest context (a multiple of 256) whose plan fits, 0 for none.
int64_t LargestContext(const ModelFile& file, const Model& model,
                       const PlanOptions& options, int64_t limit) {
  int64_t low = 0, high = limit / 256;
  while (low < high) {
    const int64_t middle = (low + high + 1) / 2;
    if (FitsBudget(PlanAt(file, model, options, middle * 256))) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low * 256;
}

Status CheckBudget(const MemoryPlan& plan) {
  if (plan.kv_context_bytes <= plan.kv_bytes) return OkStatus();
  return ResourceExhausted(fmt::format(
      "the keys and values of a context of {} tokens take {:.1f} MiB, more "
      "than "
      "the {:.1f} MiB they may have; raise --kv-memory or lower --ctx",
      plan.context_tokens, static_cast<double>(plan.kv_context_bytes) / 1048576,
      static_cast<double>(plan.kv_bytes) / 1048576));
}

}  // namespace

Result<MemoryPlan> PlanMemory(const ModelFile& file, const Model& model,
                              const PlanOptions& options) {
  if (options.context_tokens < 0) {
    return InvalidArgument(fmt::format(
        "a context of {} tokens makes no sense; give a positive number, or 0 "
        "for the model's own",
        options.context_tokens));
  }
  const int64_t own = model.config().context_tokens;
  if (options.context_tokens > 0) {
    if (options.context_tokens > own) {
      return InvalidArgument(fmt::format(
          "a context of {} tokens is more than the model was made for ({})",
          options.context_tokens, own));
    }
    MemoryPlan plan = PlanAt(file, model, options, options.context_tokens);
    CARAT_RETURN_IF_ERROR(CheckBudget(plan));
    return WithSpareKv(std::move(plan), options);
  }
  MemoryPlan plan = PlanAt(file, model, options, own);
  if (FitsBudget(plan)) return WithSpareKv(std::move(plan), options);
  const int64_t fits = LargestContext(file, model, options, own);
  if (fits < kSmallestContext) {
    // CheckFits explains a machine that is too small.
    if (Fits(plan)) CARAT_RETURN_IF_ERROR(CheckBudget(plan));
    return plan;
  }
  return WithSpareKv(PlanAt(file, model, options, fits), options);
}

Result<MemoryPlan> PlanMemory(const ModelFile& file,
                              const PlanOptions& options) {
  CARAT_ASSIGN_OR_RETURN(
      auto model,
      LoadModel(file,
                {.kv_type = options.kv_type, .mode = WeightLoader::Mode::kPlan},
                nullptr));
  return PlanMemory(file, *model, options);
}

Status CheckFits(const ModelFile& file, const Model& model,
                 const MemoryPlan& plan, const PlanOptions& options) {
  if (Fits(plan)) return OkStatus();
  const uint64_t need = plan.total_bytes() + kReserveBytes;
  const int64_t fits =
      LargestContext(file, model, options, plan.context_tokens);
  const std::string advice =
      fits >= kSmallestContext
          ? fmt::format("--ctx {} would fit", fits)
          : std::string(
                "no context fits; free memory or take a smaller model "
                "or quantisation");
  return ResourceExhausted(fmt::format(
      "{} needs {} MiB with a context of {} tokens, {} MiB are available: {} "
      "MiB are missing; {}",
      file.path(), need >> 20, plan.context_tokens, plan.available_bytes >> 20,
      (need - plan.available_bytes) >> 20, advice));
}

}  // namespace carat
