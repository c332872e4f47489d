#include <fmt/format.h>

#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "grammar/grammar.h"

namespace carat {

struct GrammarCache::Impl {
  // The token trie is part of the key by address; holding on to it keeps the
  // address from being used again.
  struct Entry {
    std::string key;
    TokenTriePtr tokens;
    GrammarPtr grammar;
  };
  size_t capacity;
  mutable std::mutex mutex;
  std::list<Entry> entries;
  std::unordered_map<std::string, std::list<Entry>::iterator> index;

  template <typename Compile>
  Result<GrammarPtr> Get(std::string key, const TokenTriePtr& tokens,
                         Compile compile) {
    key += fmt::format("@{}", static_cast<const void*>(tokens.get()));
    {
      std::lock_guard<std::mutex> lock(mutex);
      const auto it = index.find(key);
      if (it != index.end()) {
        entries.splice(entries.begin(), entries, it->second);
        return it->second->grammar;
      }
    }
    CARAT_ASSIGN_OR_RETURN(GrammarPtr grammar, compile());
    std::lock_guard<std::mutex> lock(mutex);
    if (index.contains(key)) return grammar;
    entries.push_front({key, tokens, grammar});
    index[std::move(key)] = entries.begin();
    if (entries.size() > capacity) {
      index.erase(entries.back().key);
      entries.pop_back();
    }
    return grammar;
  }
};

GrammarCache::GrammarCache(size_t capacity) : impl_(new Impl) {
  impl_->capacity = capacity;
}
GrammarCache::~GrammarCache() = default;

size_t GrammarCache::size() const {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return impl_->entries.size();
}

namespace {

std::string KeyOf(const Json& schema, const JsonGrammarOptions& options) {
  return fmt::format("json {:d}{:d}{:d} {}", options.any_whitespace,
                     options.spec_defaults, static_cast<int>(options.thought),
                     schema.Dump());
}

std::string KeyOf(std::string_view kind, std::string_view text,
                  ThoughtPrefix thought) {
  return fmt::format("{} {:d} {}", kind, static_cast<int>(thought), text);
}

std::string KeyOf(std::span<const ToolSchema> tools,
                  const ToolCallOptions& options) {
  std::string key = fmt::format(
      "tools {:d}{:d}{:d}{:d}{:d}", static_cast<int>(options.syntax),
      static_cast<int>(options.mode), options.parallel, options.spec_defaults,
      static_cast<int>(options.thought));
  for (const ToolSchema& tool : tools) {
    key += fmt::format(" {}:{} {}", tool.name.size(), tool.name,
                       tool.parameters.Dump());
  }
  return key;
}

std::string KeyOf(const AnswerText& answer) {
  switch (answer.kind) {
    case AnswerText::Kind::kRegex:
      return KeyOf("regex", answer.text, ThoughtPrefix::kNone);
    case AnswerText::Kind::kGbnf:
      return KeyOf("gbnf", answer.text, ThoughtPrefix::kNone);
    case AnswerText::Kind::kJsonSchema:
      break;
  }
  return KeyOf(answer.schema, answer.json_options);
}

}  // namespace

Result<GrammarPtr> GrammarCache::JsonSchema(const Json& schema,
                                            const TokenTriePtr& tokens,
                                            const JsonGrammarOptions& options) {
  return impl_->Get(KeyOf(schema, options), tokens,
                    [&] { return CompileJsonSchema(schema, tokens, options); });
}

Result<GrammarPtr> GrammarCache::Regex(std::string_view pattern,
                                       const TokenTriePtr& tokens,
                                       ThoughtPrefix thought) {
  return impl_->Get(KeyOf("regex", pattern, thought), tokens,
                    [&] { return CompileRegex(pattern, tokens, thought); });
}

Result<GrammarPtr> GrammarCache::Gbnf(std::string_view text,
                                      const TokenTriePtr& tokens,
                                      ThoughtPrefix thought) {
  return impl_->Get(KeyOf("gbnf", text, thought), tokens,
                    [&] { return CompileGbnf(text, tokens, thought); });
}

Result<GrammarPtr> GrammarCache::ToolCalls(std::span<const ToolSchema> tools,
                                           const TokenTriePtr& tokens,
                                           const ToolCallOptions& options) {
  return impl_->Get(KeyOf(tools, options), tokens,
                    [&] { return CompileToolCalls(tools, tokens, options); });
}

Result<GrammarPtr> GrammarCache::CallsOrAnswer(
    std::span<const ToolSchema> tools, const AnswerText& answer,
    const TokenTriePtr& tokens, const ToolCallOptions& options) {
  const std::string shape = KeyOf(answer);
  return impl_->Get(
      fmt::format("either {} {} {}", shape.size(), shape,
                  KeyOf(tools, options)),
      tokens,
      [&] { return CompileCallsOrAnswer(tools, answer, tokens, options); });
}

}  // namespace carat
