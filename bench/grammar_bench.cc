// Compile and mask times of constrained decoding on a real vocabulary, one
// core, processor time.
//
//   CARAT_TEST_MODEL=gemma.gguf grammar_bench
//
// Mask benchmarks follow noise through one grammar and report the median, the
// 99.9th percentile and the worst of single masks, the first ones included.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "formats/model_file.h"
#include "grammar/grammar.h"
#include "grammar/test_tokenizer.h"

namespace carat {
namespace {

TokenTriePtr Tokens() {
  static const std::unique_ptr<MarkedTokenizer> tokenizer =
      []() -> std::unique_ptr<MarkedTokenizer> {
    const char* path = std::getenv("CARAT_TEST_MODEL");
    if (path == nullptr) return nullptr;
    auto file = ModelFile::Open(path);
    if (!file.ok()) return nullptr;
    auto inner = Tokenizer::FromModelFile(**file);
    if (!inner.ok()) return nullptr;
    return std::make_unique<MarkedTokenizer>(std::move(*inner));
  }();
  static const TokenTriePtr tokens =
      tokenizer == nullptr ? nullptr : TokenTrie::Build(*tokenizer);
  return tokens;
}

double Micros() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 +
         static_cast<double>(time.tv_nsec) * 1e-3;
}

// Fifty properties of all kinds, every third one required.
std::string WideSchema() {
  static constexpr const char* kKinds[] = {
      R"({"type":"string"})",
      R"({"type":"integer","minimum":0,"maximum":1000})",
      R"({"type":"array","items":{"type":"string"},"maxItems":5})",
      R"({"enum":["red","green","blue"]})",
      R"({"type":"object","properties":{"x":{"type":"number"},
          "y":{"type":["string","null"]}},"required":["x"]})",
      R"({"type":"string","maxLength":40})",
      R"({"type":"boolean"})"};
  std::string properties, required;
  for (int i = 0; i < 50; ++i) {
    const std::string name = "property_" + std::to_string(i);
    properties += (i > 0 ? ",\"" : "\"") + name + "\":" + kKinds[i % 7];
    if (i % 3 == 0) required += (i > 0 ? ",\"" : "\"") + name + "\"";
  }
  return R"({"type":"object","properties":{)" + properties +
         R"(},"required":[)" + required + "]}";
}

const char* const kPatterns =
    R"({"type":"object","properties":{
        "mail":{"type":"string","format":"email"},
        "when":{"type":"string","format":"date-time"},
        "code":{"type":"string","pattern":"^[A-Z]{2,4}-[0-9]{3,6}$"},
        "path":{"type":"string","pattern":"^[^/\\s]+(/[^/\\s]+)*$"},
        "has":{"type":"string","pattern":"ab+c"},
        "note":{"type":"string","minLength":5,"maxLength":80}},
        "required":["mail","when","code","path","has","note"]})";

const char* const kCallsSchema =
    R"({"type":"object","properties":{"city":{"type":"string"},
        "days":{"type":"integer"},"units":{"enum":["c","f"]},
        "where":{"type":"object","properties":{"lat":{"type":"number"},
        "lon":{"type":"number"}}}},"required":["city"]})";

Result<GrammarPtr> Compile(const std::string& name) {
  if (name == "calls") {
    std::vector<ToolSchema> tools;
    for (const char* tool : {"get_weather", "get_forecast", "search"}) {
      tools.push_back({tool, *Json::Parse(kCallsSchema)});
    }
    return CompileToolCalls(tools, Tokens());
  }
  if (name == "regex") {
    return CompileRegex("[A-Z][a-z]+( [a-z]+){3,9}\\.", Tokens());
  }
  const std::string schema = name == "wide"       ? WideSchema()
                             : name == "patterns" ? kPatterns
                                                  : "true";
  return CompileJsonSchema(*Json::Parse(schema), Tokens());
}

void BM_Compile(benchmark::State& state, const std::string& name) {
  if (Tokens() == nullptr) {
    state.SkipWithError("Set CARAT_TEST_MODEL to a .gguf file.");
    return;
  }
  for (auto _ : state) {
    const Result<GrammarPtr> grammar = Compile(name);
    if (!grammar.ok()) {
      state.SkipWithError(grammar.status().message().c_str());
      return;
    }
  }
}

void BM_Mask(benchmark::State& state, const std::string& name) {
  if (Tokens() == nullptr) {
    state.SkipWithError("Set CARAT_TEST_MODEL to a .gguf file.");
    return;
  }
  const TokenTrie& tokens = *Tokens();
  const Result<GrammarPtr> grammar = Compile(name);
  if (!grammar.ok()) {
    state.SkipWithError(grammar.status().message().c_str());
    return;
  }
  std::mt19937_64 random(1);
  std::vector<uint64_t> mask(static_cast<size_t>(tokens.mask_words()));
  std::vector<double> times;
  GrammarState position(*grammar);
  int steps = 0;
  for (auto _ : state) {
    const double start = Micros();
    position.Mask(mask);
    times.push_back(Micros() - start);
    state.PauseTiming();
    std::vector<TokenId> allowed;
    for (TokenId id = 0; id < tokens.size(); ++id) {
      if (mask[static_cast<size_t>(id / 64)] >> (id % 64) & 1) {
        allowed.push_back(id);
      }
    }
    position.Accept(allowed[random() % allowed.size()]);
    if (position.IsFinished() || ++steps % 200 == 0) {
      position = GrammarState(*grammar);
    }
    state.ResumeTiming();
  }
  std::sort(times.begin(), times.end());
  state.counters["median_us"] = times[times.size() / 2];
  state.counters["p999_us"] = times[times.size() * 999 / 1000];
  state.counters["worst_us"] = times.back();
}

#define CARAT_GRAMMAR_BENCH(name)                                            \
  BENCHMARK_CAPTURE(BM_Compile, name, #name)->Unit(benchmark::kMillisecond); \
  BENCHMARK_CAPTURE(BM_Mask, name, #name)                                    \
      ->Unit(benchmark::kMicrosecond)                                        \
      ->Iterations(4000)

CARAT_GRAMMAR_BENCH(wide);
CARAT_GRAMMAR_BENCH(patterns);
CARAT_GRAMMAR_BENCH(calls);
CARAT_GRAMMAR_BENCH(any);
CARAT_GRAMMAR_BENCH(regex);

}  // namespace
}  // namespace carat
