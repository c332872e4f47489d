#include "cli/engine_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <utility>

#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "cli/text.h"

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

void AddChatFormatOption(CLI::App& command, EngineArguments* a) {
  command.add_option("--chat-format", a->chat_format,
                     "Force a chat format, e.g. gemma3; default: detected");
}

void AddNoiseOptions(CLI::App& command, EngineArguments* a) {
  auto* quiet =
      command.add_flag("--quiet", a->quiet, "No notes and timings on stderr");
  command.add_flag("--verbose", a->verbose, "More of them")->excludes(quiet);
}

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
  if (!arguments.quiet) {
    options.progress = [&bar](double share) { bar.Update(share); };
  }
  Result<std::unique_ptr<Engine>> engine = Engine::Load(options);
  bar.Clear();
  if (!engine.ok() || !arguments.verbose) return engine;
  const Engine& loaded = **engine;
  PrintNote(fmt::format(
      "carat: loaded {} in {:.2f} s; {} threads, context {}, memory {}", path,
      loaded.load_seconds(), loaded.threads(), Grouped(loaded.context_tokens()),
      HumanBytes(loaded.plan().total_bytes())));
  for (const std::string& note : loaded.notes()) {
    PrintNote("carat: note: " + note);
  }
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
