// Follows grammars with a sampler that emits noise, for
// tools/reference/check_grammar.py.
//
//   grammar_walk MODEL.gguf
//
// Every input line is a JSON job, every output line its result:
//   {"schema": S, "options": {...}, "seeds": [1, 2]}   texts of random walks
//   {"tools": [{"name", "parameters"}], "syntax": "gemma4", "seeds": [...]}
//   {"schema": S, "options": {...}, "texts": [...]}    which texts fit
// Walks check, on the way, that masks are never empty and agree with Accept.
// In the texts of tool calls control tokens stand between U+0001 and U+0002.
// Times of masks and compiles go to stderr at the end.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "formats/model_file.h"
#include "grammar/grammar.h"
#include "grammar/test_tokenizer.h"

namespace carat {
namespace {

// Processor time of this thread, so that a busy machine does not blur it.
double Now() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 +
         static_cast<double>(t.tv_nsec) * 1e-3;
}

struct Times {
  std::vector<double> micros;
  double slowest = 0;
  // Whether it was the slowest so far.
  bool Add(double from) {
    micros.push_back(Now() - from);
    const bool record = micros.back() > slowest;
    slowest = std::max(slowest, micros.back());
    return record;
  }
  void Report(const char* name) {
    if (micros.empty()) return;
    std::sort(micros.begin(), micros.end());
    const size_t n = micros.size();
    std::fprintf(stderr,
                 "%s: %zu, median %.1f us, p99 %.1f us, p99.9 %.1f us, max "
                 "%.1f us\n",
                 name, n, micros[n / 2], micros[n * 99 / 100],
                 micros[n * 999 / 1000], micros.back());
  }
};

Times g_masks, g_compiles, g_accepts;
std::string g_slowest_mask;  // the text it followed, for the report

std::string TextOf(const TokenTrie& tokens, TokenId id) {
  if (tokens.IsText(id)) return std::string(tokens.Text(id));
  return "\x01" + std::string(tokens.tokenizer().Piece(id)) + "\x02";
}

// After this many tokens the sampler looks for the way out.
constexpr int kSoftLimit = 60;
constexpr int kHardLimit = 30000;

bool Has(const std::vector<uint64_t>& mask, TokenId id) {
  return (mask[id / 64] >> (id % 64) & 1) != 0;
}

// Control tokens and single characters: enough to write any ending.
std::vector<TokenId> SmallTokens(const TokenTrie& tokens) {
  std::vector<TokenId> small;
  for (TokenId id = 0; id < tokens.size(); ++id) {
    if (!tokens.IsText(id) || tokens.Text(id).size() == 1) small.push_back(id);
  }
  return small;
}

// Any allowed token; or, once the text should end, mostly one of those that
// bring the end nearest.
TokenId Choose(const GrammarState& state, const TokenTrie& tokens,
               const std::vector<uint64_t>& mask, bool closing,
               std::mt19937_64* random) {
  static const std::vector<TokenId> kSmall = SmallTokens(tokens);
  if (closing && (*random)() % 16 != 0) {
    for (TokenId id : tokens.end_of_generation()) {
      if (Has(mask, id)) return id;
    }
    std::vector<TokenId> nearest;
    size_t least = ~size_t{0};
    for (TokenId id : kSmall) {
      if (!Has(mask, id)) continue;
      GrammarState next = state;
      next.Accept(id);
      const size_t left = next.BytesToEnd();
      if (left < least) nearest.clear();
      least = std::min(least, left);
      if (left == least) nearest.push_back(id);
    }
    if (!nearest.empty()) return nearest[(*random)() % nearest.size()];
  }
  uint64_t count = 0;
  for (uint64_t word : mask) count += std::popcount(word);
  if (count == 0) return -1;
  uint64_t skip = (*random)() % count;
  for (size_t i = 0;; ++i) {
    const uint64_t here = std::popcount(mask[i]);
    if (skip >= here) {
      skip -= here;
      continue;
    }
    uint64_t word = mask[i];
    while (skip-- > 0) word &= word - 1;
    return static_cast<TokenId>(i * 64 + std::countr_zero(word));
  }
}

// The names under "properties", at any depth.
void CollectNames(const Json& value, std::vector<std::string>* names) {
  if (value.is_array()) {
    for (const Json& item : value.as_array()) CollectNames(item, names);
  }
  if (!value.is_object()) return;
  for (const auto& [key, member] : value.as_object()) {
    if (key == "properties" && member.is_object()) {
      for (const auto& property : member.as_object()) {
        names->push_back(property.first);
      }
    }
    CollectNames(member, names);
  }
}

// Where a key of a tool call is due, takes one of the declared ones; otherwise
// the shortest way always leads through undeclared keys.
void TakeName(const std::vector<std::string>& names, const TokenTrie& tokens,
              GrammarState* state, std::string* text, std::mt19937_64* random) {
  if (text->empty() || (text->back() != ',' && text->back() != '{')) return;
  for (int tries = 0; tries < 8 && !names.empty(); ++tries) {
    const std::string& name = names[(*random)() % names.size()];
    if (state->AcceptText(name + ":")) {
      *text += name + ":";
      return;
    }
    for (const char* quote : {"<|\"|>", "<escape>"}) {
      GrammarState quoted = *state;
      const auto id = tokens.Terminal(quote);
      if (id && quoted.Accept(*id) && quoted.AcceptText(name) &&
          quoted.Accept(*id)) {
        *state = quoted;
        *text += TextOf(tokens, *id) + name + TextOf(tokens, *id);
        return;
      }
    }
  }
}

Json Walk(const GrammarPtr& grammar, const std::vector<std::string>& names,
          uint64_t seed) {
  const TokenTrie& tokens = TokenTrieOf(*grammar);
  std::mt19937_64 random(seed);
  GrammarState state(grammar);
  std::vector<uint64_t> mask(tokens.mask_words());
  std::string text;
  Json result = Json::MakeObject();
  for (int step = 0; step < kHardLimit && !state.IsFinished(); ++step) {
    if (step > kSoftLimit) TakeName(names, tokens, &state, &text, &random);
    double start = Now();
    state.Mask(mask);
    if (g_masks.Add(start)) g_slowest_mask = text;
    const TokenId next =
        Choose(state, tokens, mask, step > kSoftLimit, &random);
    if (next < 0) {
      result.Set("error", "dead end");
      break;
    }
    for (int i = 0; i < 8; ++i) {
      const TokenId probe = static_cast<TokenId>(random() % tokens.size());
      if (Has(mask, probe) != state.CanAccept(probe)) {
        result.Set("error", fmt::format("mask and Accept disagree on {}",
                                        TextOf(tokens, probe)));
      }
    }
    start = Now();
    if (!state.Accept(next)) {
      result.Set("error", fmt::format("allowed token {} was not accepted",
                                      TextOf(tokens, next)));
      break;
    }
    g_accepts.Add(start);
    if (!state.IsFinished()) text += TextOf(tokens, next);
    if (step % 5 == 0) {
      const std::vector<TokenId> forced = state.ForcedTokens();
      for (TokenId id : forced) {
        if (!state.Accept(id)) result.Set("error", "forced token refused");
        text += TextOf(tokens, id);
      }
      if (step % 15 == 0) {
        for (TokenId id : forced) {
          text.resize(text.size() - TextOf(tokens, id).size());
        }
        if (!state.Rollback(forced.size())) {
          result.Set("error", "rollback refused");
        }
      }
    }
  }
  result.Set("finished", state.IsFinished());
  result.Set("text", text);
  return result;
}

bool Flag(const Json& job, const char* name) {
  const Json* options = job.Find("options");
  const Json* flag = options == nullptr ? nullptr : options->Find(name);
  return flag != nullptr && flag->is_bool() && flag->as_bool();
}

Result<GrammarPtr> Compile(const Json& job, const TokenTriePtr& tokens) {
  const Json* tools = job.Find("tools");
  if (tools == nullptr) {
    return CompileJsonSchema(*job.Find("schema"), tokens,
                             {.any_whitespace = Flag(job, "any_whitespace"),
                              .spec_defaults = Flag(job, "spec_defaults")});
  }
  std::vector<ToolSchema> list;
  for (const Json& tool : tools->as_array()) {
    list.push_back({tool.Find("name")->as_string(), *tool.Find("parameters")});
  }
  const Json* syntax = job.Find("syntax");
  const bool function_gemma =
      syntax != nullptr && syntax->as_string() == "functiongemma";
  return CompileToolCalls(list, tokens,
                          {.syntax = function_gemma ? ToolSyntax::kFunctionGemma
                                                    : ToolSyntax::kGemma4});
}

Json Run(const Json& job, const TokenTriePtr& tokens) {
  Json result = Json::MakeObject();
  const double start = Now();
  const Result<GrammarPtr> grammar = Compile(job, tokens);
  g_compiles.Add(start);
  if (!grammar.ok()) {
    result.Set("code", StatusCodeName(grammar.status().code()));
    result.Set("error", grammar.status().message());
    return result;
  }
  Json notes = Json::MakeArray();
  for (const std::string& note : NotesOf(**grammar)) notes.Append(note);
  result.Set("notes", notes);
  if (const Json* texts = job.Find("texts")) {
    Json fits = Json::MakeArray();
    for (const Json& text : texts->as_array()) {
      GrammarState state(*grammar);
      fits.Append(state.AcceptText(text.as_string()) && state.IsComplete());
    }
    result.Set("fits", fits);
    return result;
  }
  Json walks = Json::MakeArray();
  std::vector<std::string> names;
  if (job.Find("tools") != nullptr) CollectNames(job, &names);
  for (const Json& seed : job.Find("seeds")->as_array()) {
    walks.Append(Walk(*grammar, names, static_cast<uint64_t>(seed.as_int())));
  }
  result.Set("walks", walks);
  return result;
}

int Main(const char* path) {
  auto file = ModelFile::Open(path);
  if (!file.ok()) {
    std::fprintf(stderr, "%s\n", file.status().message().c_str());
    return 1;
  }
  auto tokenizer = Tokenizer::FromModelFile(**file);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.status().message().c_str());
    return 1;
  }
  const MarkedTokenizer marked(std::move(*tokenizer));
  double start = Now();
  const TokenTriePtr tokens = TokenTrie::Build(marked);
  std::fprintf(stderr, "token trie: %d tokens, %zu nodes, %.0f ms\n",
               tokens->size(), tokens->nodes().size(), (Now() - start) / 1000);
  std::string line;
  while (std::getline(std::cin, line)) {
    const Result<Json> job = Json::Parse(line, 2000);
    if (!job.ok()) {
      std::fprintf(stderr, "%s\n", job.status().message().c_str());
      return 1;
    }
    std::cout << Run(*job, tokens).Dump() << std::endl;
  }
  g_compiles.Report("compile");
  g_masks.Report("mask");
  if (g_slowest_mask.size() > 400) {
    g_slowest_mask.erase(0, g_slowest_mask.size() - 400);
  }
  std::fprintf(stderr, "the slowest mask came after: %s\n",
               JsonQuote(g_slowest_mask).c_str());
  g_accepts.Report("accept");
  return 0;
}

}  // namespace
}  // namespace carat

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: grammar_walk MODEL.gguf < jobs > results\n");
    return 2;
  }
  return carat::Main(argv[1]);
}
