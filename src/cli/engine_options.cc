#include "cli/engine_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <utility>

#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "kernels/cpu.h"
#include "store/roots.h"

namespace carat {

void AddModelOptions(CLI::App& command, EngineArguments* a) {
  command
      .add_option("MODEL", a->model,
                  "A .gguf file, a model folder, or a name from carat list")
      ->required();
  command
      .add_option("--ctx", a->context_tokens,
                  "Context in tokens; default: the model's, or what fits into "
                  "memory")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 31).description(""))
      ->type_name("N");
  command
      .add_option("--threads", a->threads,
                  "Threads; default: the CPUs this process may use")
      ->check(CLI::Range(1, 1024).description(""))
      ->type_name("N");
  AddKvTypeOption(command, a);
  command
      .add_option("--kv-memory", a->kv_bytes,
                  "Memory for keys and values of all sequences and cached "
                  "prompts, e.g. 2GiB; default: one context")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE");
}

void AddKvTypeOption(CLI::App& command, EngineArguments* a) {
  command
      .add_option("--kv", a->kv,
                  "Type of the KV cache: f16, f32 or q8 (8 bits: half the "
                  "memory of f16, a little less exact)")
      ->check(CLI::IsMember({"f16", "f32", "q8"}).description(""))
      ->capture_default_str();
}

void AddCacheOptions(CLI::App& command, EngineArguments* a) {
  command
      .add_option("--cache-dir", a->cache_dir,
                  "Folder where caches of read prompts outlive the program; "
                  "default: none")
      ->type_name("DIR");
  command
      .add_option("--cache-size", a->cache_bytes,
                  "Most that folder may hold; default: 10GiB")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE");
}

void AddPackedCacheOptions(CLI::App& command, EngineArguments* a) {
  command
      .add_option("--packed-cache", a->packed_cache,
                  "Keep packed weights on disk, for a quick start the next "
                  "time: on, off or a folder")
      ->type_name("DIR")
      ->capture_default_str();
  command
      .add_option("--packed-cache-size", a->packed_cache_bytes,
                  "Most that folder may hold; default: 20GiB")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE");
}

void AddChatFormatOption(CLI::App& command, EngineArguments* a) {
  command.add_option("--chat-format", a->chat_format,
                     "Force a chat format, e.g. gemma3; default: detected");
}

void AddNoiseOptions(CLI::App& command, EngineArguments* a) {
  auto* quiet =
      command.add_flag("--quiet", a->quiet, "No notes and timings on stderr");
  command.add_flag("--verbose", a->verbose, "More of them")->excludes(quiet);
}

std::string DefaultPackedFolder() {
  const std::string cache = CacheFolder();
  return cache.empty() ? "" : cache + "/packed";
}

Status SetPackedCache(const EngineArguments& arguments,
                      EngineOptions* options) {
  options->packed_dir_bytes = arguments.packed_cache_bytes;
  if (arguments.packed_cache == "off") return OkStatus();
  options->packed_dir = arguments.packed_cache == "on" ? DefaultPackedFolder()
                                                       : arguments.packed_cache;
  if (!options->packed_dir.empty()) return OkStatus();
  return InvalidArgument(
      "--packed-cache on needs a cache folder, and none is known: set HOME or "
      "CARAT_CACHE, or name a folder.");
}

namespace {

// What was done, for --verbose.
void NoteLoading(const Engine& loaded, const std::string& path) {
  const LoadReport& report = loaded.load_report();
  PrintNote(
      fmt::format("carat: loaded {} in {:.2f} s; {} kernels, {} threads, "
                  "context {}, memory "
                  "{}",
                  path, report.seconds, IsaName(ActiveIsa()), loaded.threads(),
                  Grouped(loaded.context_tokens()),
                  HumanBytes(loaded.plan().total_bytes())));
  const bool found = report.kept == LoadReport::Kept::kFound;
  PrintNote(fmt::format(
      "carat: weights: {} {} in {:.2f} s, {} of them in huge pages; tokenizer: "
      "{:.2f} s beside them",
      HumanBytes(report.packed_bytes), found ? "mapped" : "packed",
      report.weights_seconds, HumanBytes(loaded.HugePageBytes()),
      report.tokenizer_seconds));
  if (report.kept != LoadReport::Kept::kNotAsked) {
    PrintNote(
        fmt::format("carat: packed weights {}: {}{}", KeptName(report.kept),
                    report.kept_path,
                    report.kept == LoadReport::Kept::kWritten
                        ? fmt::format(", in {:.2f} s", report.write_seconds)
                        : std::string()));
  }
  for (const std::string& note : loaded.notes()) {
    PrintNote("carat: note: " + note);
  }
}

}  // namespace

Result<std::unique_ptr<Engine>> LoadEngine(const EngineArguments& arguments) {
  CARAT_ASSIGN_OR_RETURN(const std::string path, FindModel(arguments.model));
  ProgressBar bar("Loading");
  EngineOptions options;
  options.model_path = path;
  options.threads = arguments.threads;
  options.context_tokens = arguments.context_tokens;
  options.kv_type = arguments.kv_type();
  options.kv_bytes = arguments.kv_bytes;
  options.chat_format = arguments.chat_format;
  options.cache_dir = arguments.cache_dir;
  options.cache_dir_bytes = arguments.cache_bytes;
  CARAT_RETURN_IF_ERROR(SetPackedCache(arguments, &options));
  if (!arguments.quiet) {
    options.progress = [&bar](double share) { bar.Update(share); };
  }
  Result<std::unique_ptr<Engine>> engine = Engine::Load(options);
  bar.Clear();
  if (!engine.ok() || !arguments.verbose) return engine;
  NoteLoading(**engine, path);
  return engine;
}

uint64_t PeakMemoryBytes() {
  FILE* file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return 0;
  char line[256];
  unsigned long long kib = 0;
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (std::sscanf(line, "VmHWM: %llu kB", &kib) == 1) break;
  }
  std::fclose(file);
  return kib * 1024;
}

}  // namespace carat
