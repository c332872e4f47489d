// Tokenizer speed on one core: loading, English, other text and the inputs
// that are made to be slow.
//
//   CARAT_TEST_MODEL=gemma.gguf tokenizer_bench
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "base/mapped_file.h"
#include "formats/model_file.h"
#include "tokenizer/tokenizer.h"

namespace carat {
namespace {

constexpr size_t kMegabyte = 1000000;

Result<std::unique_ptr<Tokenizer>> Load() {
  const char* model = std::getenv("CARAT_TEST_MODEL");
  if (model == nullptr) {
    return FailedPrecondition(
        "Set CARAT_TEST_MODEL to a .gguf file or a tokenizer.json.");
  }
  const std::string path = model;
  if (path.ends_with(".json")) {
    CARAT_ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file,
                           MappedFile::Open(path));
    return Tokenizer::FromTokenizerJson(
        {reinterpret_cast<const char*>(file->bytes().data()),
         file->bytes().size()});
  }
  CARAT_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFile> file,
                         ModelFile::Open(path));
  return Tokenizer::FromModelFile(*file);
}

// A megabyte of `unit` over and over.
std::string Repeat(std::string_view unit) {
  std::string text;
  while (text.size() < kMegabyte) text += unit;
  text.resize(kMegabyte / unit.size() * unit.size());
  return text;
}

std::string English() {
  std::string text;
  for (const char* name : {"GPL-3", "Apache-2.0", "LGPL-2.1", "MPL-2.0"}) {
    std::ifstream file(std::string("/usr/share/common-licenses/") + name);
    text.append(std::istreambuf_iterator<char>(file), {});
  }
  return text.empty() ? Repeat("There is no text on this machine. ")
                      : Repeat(text);
}

void RunText(benchmark::State& state, const std::string& text) {
  const auto tokenizer = Load();
  if (!tokenizer.ok()) {
    state.SkipWithError(tokenizer.status().message().c_str());
    return;
  }
  size_t tokens = 0;
  for (auto _ : state) {
    const auto ids = (*tokenizer)->Encode(text);
    benchmark::DoNotOptimize(ids.data());
    tokens = ids.size();
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(text.size()));
  state.counters["bytes_per_token"] =
      static_cast<double>(text.size()) / static_cast<double>(tokens);
}

void BM_Load(benchmark::State& state) {
  for (auto _ : state) {
    const auto tokenizer = Load();
    if (!tokenizer.ok()) {
      state.SkipWithError(tokenizer.status().message().c_str());
    }
  }
}
BENCHMARK(BM_Load)->Unit(benchmark::kMillisecond);

void BM_English(benchmark::State& state) { RunText(state, English()); }
BENCHMARK(BM_English)->Unit(benchmark::kMillisecond);

void BM_Code(benchmark::State& state) {
  RunText(state, Repeat("for (size_t i = 0; i < n; ++i) {\n"
                        "    total += weights[i] * values[i];\n}\n"
                        "def f(x, y=None): return {\"a\": [x, y]}\n"));
}
BENCHMARK(BM_Code)->Unit(benchmark::kMillisecond);

void BM_Japanese(benchmark::State& state) {
  RunText(state, Repeat("吾輩は猫である。名前はまだ無い。どこで生れたか"
                        "とんと見当がつかぬ。"));
}
BENCHMARK(BM_Japanese)->Unit(benchmark::kMillisecond);

void BM_Russian(benchmark::State& state) {
  RunText(state, Repeat("Все счастливые семьи похожи друг на друга, каждая "
                        "несчастливая семья несчастлива по-своему. "));
}
BENCHMARK(BM_Russian)->Unit(benchmark::kMillisecond);

void BM_OneLetter(benchmark::State& state) { RunText(state, Repeat("a")); }
BENCHMARK(BM_OneLetter)->Unit(benchmark::kMillisecond);

void BM_Spaces(benchmark::State& state) { RunText(state, Repeat(" ")); }
BENCHMARK(BM_Spaces)->Unit(benchmark::kMillisecond);

void BM_Newlines(benchmark::State& state) { RunText(state, Repeat("\n")); }
BENCHMARK(BM_Newlines)->Unit(benchmark::kMillisecond);

void BM_BrokenUtf8(benchmark::State& state) {
  RunText(state, Repeat("\xFF\xC3"));
}
BENCHMARK(BM_BrokenUtf8)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace carat
