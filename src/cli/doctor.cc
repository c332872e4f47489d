#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/thread_pool.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/machine.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/versions.h"
#include "kernels/cpu.h"
#include "runtime/packed_cache.h"
#include "store/store.h"

namespace carat {
namespace {

struct Finding {
  std::string topic;
  std::string text;
  bool good = true;
  std::string hint;  // what to do about it
};

constexpr uint64_t kLittleMemory = uint64_t{1} << 30;

Finding CpuFinding(const Machine& machine) {
  return {
      .topic = "cpu",
      .text = fmt::format("{}, {} online",
                          machine.cpu.empty() ? "unknown model" : machine.cpu,
                          machine.online_cpus)};
}

Finding FeaturesFinding(const Machine& machine) {
  if (machine.features.empty()) {
    return {.topic = "features", .text = "none of those carat uses"};
  }
  return {.topic = "features",
          .text = fmt::format("{}", fmt::join(machine.features, " "))};
}

Finding KernelFinding() {
  std::string all;
  for (const Isa isa : SupportedIsas()) {
    all += std::string(all.empty() ? "" : ", ") + IsaName(isa);
  }
  Finding out{.topic = "kernels",
              .text = fmt::format("{} (this CPU can run {})",
                                  IsaName(ActiveIsa()), all)};
  if (!IsaNote().empty()) {
    out.good = false;
    out.hint = IsaNote();
  } else if (SupportedIsas().size() == 1) {
    out.good = false;
    out.hint =
        "only plain code runs on this CPU, which is slow; AVX2 or Arm dot "
        "products are needed for speed";
  } else if (ActiveIsa() != SupportedIsas().back()) {
    out.good = false;
    out.hint = "CARAT_ISA holds back the fastest kernels";
  }
  return out;
}

Finding ThreadsFinding(const Machine& machine) {
  const int threads = ThreadPool::DefaultThreads();
  Finding out{.topic = "threads",
              .text = fmt::format("{} by default", threads)};
  if (threads < machine.online_cpus) {
    out.hint = fmt::format(
        "{} CPUs are online, but affinity or a quota leaves {} to this process",
        machine.online_cpus, threads);
  }
  return out;
}

Finding MemoryFinding(const Machine& machine) {
  Finding out{.topic = "memory",
              .text = fmt::format("{} available of {}",
                                  HumanBytes(machine.available_bytes),
                                  HumanBytes(machine.memory_bytes))};
  if (machine.memory_limit_bytes > 0) {
    out.text +=
        fmt::format(", limited to {}", HumanBytes(machine.memory_limit_bytes));
  }
  if (machine.available_bytes < kLittleMemory) {
    out.good = false;
    out.hint = "close other programs, or use a small model and --ctx";
  }
  return out;
}

Finding HugePagesFinding(const Machine& machine) {
  Finding out{.topic = "huge pages", .text = machine.huge_pages};
  if (machine.huge_pages.empty()) {
    out.text = "not offered by this system";
  } else if (machine.huge_pages == "never") {
    out.good = false;
    out.hint =
        "weights are read faster with them: echo madvise | sudo tee "
        "/sys/kernel/mm/transparent_hugepage/enabled";
  }
  return out;
}

Finding GovernorFinding(const Machine& machine) {
  Finding out{.topic = "cpu governor", .text = machine.governor};
  if (machine.governor == "powersave") {
    out.hint = "the performance governor may be faster";
  }
  return out;
}

Finding CacheFinding() {
  const std::string folder = ModelsFolder();
  if (!folder.empty()) return {.topic = "models folder", .text = folder};
  return {.topic = "models folder",
          .text = "none",
          .good = false,
          .hint = "set HOME, CARAT_CACHE or CARAT_MODELS"};
}

Finding ModelsFinding(const Store& store) {
  Finding out{.topic = "models",
              .text = fmt::format("{} found", store.models().size())};
  for (const FoundModel& model : store.models()) {
    out.text +=
        fmt::format("\n{} ({}, {})", model.name, HumanBytes(model.bytes),
                    StoreKindTitle(model.store));
  }
  if (store.models().empty()) {
    out.good = false;
    out.hint = fmt::format("put a .gguf file into {}, or give its path",
                           ModelsFolder());
  }
  return out;
}

Finding PackedFinding() {
  const std::string folder = DefaultPackedFolder();
  const auto entries = PackedCache::List(folder);
  Finding out{.topic = "packed cache"};
  if (entries.empty()) {
    out.text = "empty; --packed-cache on fills it";
    return out;
  }
  uint64_t total = 0;
  for (const PackedCache::Entry& entry : entries) total += entry.bytes;
  out.text = fmt::format("{} in {}", HumanBytes(total), folder);
  const int64_t now = static_cast<int64_t>(std::time(nullptr));
  for (const PackedCache::Entry& entry : entries) {
    out.text +=
        fmt::format("\n{} ({}, used {} days ago): {}",
                    entry.model.empty() ? "of another version, or damaged"
                                        : WithoutControls(entry.model),
                    HumanBytes(entry.bytes),
                    std::max<int64_t>(0, now - entry.used_s) / 86400,
                    std::filesystem::path(entry.path).filename().string());
  }
  out.hint = "these files may be removed at any time";
  return out;
}

std::vector<Finding> Examine(const Store& store) {
  const Machine machine = InspectMachine();
  std::vector<Finding> out = {
      CpuFinding(machine),    FeaturesFinding(machine),
      KernelFinding(),        ThreadsFinding(machine),
      MemoryFinding(machine), HugePagesFinding(machine)};
  if (!machine.governor.empty()) out.push_back(GovernorFinding(machine));
  out.push_back(CacheFinding());
  out.push_back(PackedFinding());
  out.push_back(ModelsFinding(store));
  for (const std::string& note : store.notes()) {
    out.push_back({.topic = "store", .text = note, .good = false});
  }
  const Json versions = Versions();
  for (const auto& [name, value] : versions.as_object()) {
    out.push_back({.topic = name, .text = value.as_string()});
  }
  return out;
}

Json ToJson(const std::vector<Finding>& findings, const Store& store) {
  const Machine machine = InspectMachine();
  Json checks = Json::MakeArray();
  for (const Finding& finding : findings) {
    Json check = Json::MakeObject();
    check.Set("topic", finding.topic);
    check.Set("text", finding.text);
    check.Set("status", finding.good ? "ok" : "warn");
    if (!finding.hint.empty()) check.Set("hint", finding.hint);
    checks.Append(std::move(check));
  }
  Json features = Json::MakeArray();
  for (const std::string& name : machine.features) features.Append(name);
  Json isas = Json::MakeArray();
  for (const Isa isa : SupportedIsas()) isas.Append(IsaName(isa));
  Json models = Json::MakeArray();
  for (const FoundModel& model : store.models()) models.Append(model.name);
  Json out = Json::MakeObject();
  out.Set("cpu", machine.cpu);
  out.Set("features", std::move(features));
  out.Set("isa", IsaName(ActiveIsa()));
  out.Set("supported_isas", std::move(isas));
  out.Set("threads", ThreadPool::DefaultThreads());
  out.Set("memory_bytes", machine.memory_bytes);
  out.Set("available_bytes", machine.available_bytes);
  out.Set("huge_pages", machine.huge_pages);
  out.Set("models", std::move(models));
  Json packed = Json::MakeArray();
  for (const PackedCache::Entry& entry :
       PackedCache::List(DefaultPackedFolder())) {
    Json file = Json::MakeObject();
    file.Set("path", entry.path);
    file.Set("model", entry.model);
    file.Set("bytes", entry.bytes);
    packed.Append(std::move(file));
  }
  out.Set("packed_cache", std::move(packed));
  out.Set("versions", Versions());
  out.Set("checks", std::move(checks));
  return out;
}

// Continuation lines stand below the text of the first.
std::string Indented(const std::string& text, size_t columns) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out.append(columns, ' ');
  }
  return out;
}

int Doctor(bool json) {
  const Store store(DefaultRoots());
  const std::vector<Finding> findings = Examine(store);
  if (json) {
    Print(ToJson(findings, store).Dump(2) + "\n");
    return kExitOk;
  }
  std::string out;
  for (const Finding& finding : findings) {
    const std::string head = fmt::format(
        "{:<4}  {:<13} ", finding.good ? "ok" : "warn", finding.topic);
    out += head + Indented(finding.text, head.size()) + "\n";
    if (!finding.hint.empty()) {
      out += std::string(head.size(), ' ') + "hint: " + finding.hint + "\n";
    }
  }
  Print(out);
  return kExitOk;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand(
      "doctor", "Check what this machine offers and what holds it back");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON object");
  command->footer(
      "CARAT_ISA=scalar|avx2|avxvnni|avx512|neon|i8mm forces a kernel set.\n"
      "\n"
      "Examples:\n"
      "  carat doctor\n"
      "  CARAT_ISA=scalar carat doctor --json");
  command->callback(
      [json, chosen] { *chosen = [json] { return Doctor(*json); }; });
}

}  // namespace carat
