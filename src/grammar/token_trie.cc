#include "grammar/token_trie.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "grammar/leaf_cache.h"

namespace carat {
namespace {

// Markers of the chat formats that some files list as ordinary text.
constexpr std::string_view kMarkers[] = {
    "<|tool>",
    "<tool|>",
    "<|tool_call>",
    "<tool_call|>",
    "<|tool_response>",
    "<tool_response|>",
    "<|\"|>",
    "<|think|>",
    "<|channel>",
    "<channel|>",
    "<|turn>",
    "<turn|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_function_declaration>",
    "<end_function_declaration>",
    "<start_function_call>",
    "<end_function_call>",
    "<start_function_response>",
    "<end_function_response>",
    "<escape>",
};

// States of a UTF-8 reader: at a boundary, or with so many bytes to come,
// some of which are restricted (Unicode table 3-7).
enum Utf8State : uint8_t {
  kBoundary,
  kOneMore,
  kTwoMore,
  kThreeMore,
  kAfterE0,
  kAfterEd,
  kAfterF0,
  kAfterF4,
  kIllFormed,
};

Utf8State FirstByte(uint8_t byte) {
  if (byte < 0x80) return kBoundary;
  if (byte < 0xC2 || byte > 0xF4) return kIllFormed;
  if (byte < 0xE0) return kOneMore;
  if (byte == 0xE0) return kAfterE0;
  if (byte == 0xED) return kAfterEd;
  if (byte < 0xF0) return kTwoMore;
  if (byte == 0xF0) return kAfterF0;
  return byte == 0xF4 ? kAfterF4 : kThreeMore;
}

Utf8State NextByte(Utf8State state, uint8_t byte) {
  if (state == kBoundary) return FirstByte(byte);
  if (state == kIllFormed || byte < 0x80 || byte > 0xBF) return kIllFormed;
  switch (state) {
    case kOneMore:
      return kBoundary;
    case kTwoMore:
      return kOneMore;
    case kThreeMore:
      return kTwoMore;
    case kAfterE0:
      return byte >= 0xA0 ? kOneMore : kIllFormed;
    case kAfterEd:
      return byte <= 0x9F ? kOneMore : kIllFormed;
    case kAfterF0:
      return byte >= 0x90 ? kTwoMore : kIllFormed;
    case kAfterF4:
      return byte <= 0x8F ? kTwoMore : kIllFormed;
    default:
      return kIllFormed;
  }
}

// More tokens of one text are left out.
constexpr uint8_t kMaxOwn = 255;

size_t CommonPrefix(std::string_view a, std::string_view b) {
  const size_t n = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

// Fills what follows from bytes and tokens, parents lying before children.
void FillChars(const std::vector<uint32_t>& parent, TokenTrie::Nodes* trie) {
  std::vector<TokenTrie::Node>& nodes = trie->nodes;
  const std::vector<uint8_t>& bytes = trie->bytes;
  const size_t count = nodes.size();
  const CharSet broken{0, CharSet::kBroken};
  auto begins = [&](size_t i) { return (bytes[i] & 0xC0) != 0x80; };
  std::vector<Utf8State> state(count, kBoundary);
  std::vector<bool> plain(count, true);  // the node's own text is
  for (size_t i = 1; i < count; ++i) {
    state[i] = NextByte(state[parent[i]], bytes[i]);
    nodes[i].char_depth =
        static_cast<uint8_t>(nodes[parent[i]].char_depth + (begins(i) ? 1 : 0));
    plain[i] = plain[parent[i]] && state[i] != kIllFormed &&
               (!begins(i) || CharSet::Of(bytes[i]).Within(CharSet::Plain()));
  }
  trie->token_chars.resize(trie->tokens.size());
  trie->token_plain.resize(trie->tokens.size());
  for (size_t i = 0; i < count; ++i) {
    for (uint32_t t = nodes[i].first_token;
         t < nodes[i].first_token + nodes[i].own; ++t) {
      trie->token_chars[t] = nodes[i].char_depth;
      trie->token_plain[t] = plain[i];
    }
  }
  for (size_t i = count; i-- > 1;) {
    const TokenTrie::Node& node = nodes[i];
    TokenTrie::Node& above = nodes[parent[i]];
    const int chars = std::min(255, node.max_chars + (begins(i) ? 1 : 0));
    above.max_chars =
        std::max<uint8_t>(above.max_chars, static_cast<uint8_t>(chars));
    above.chars.Add(state[i] == kIllFormed ? broken : node.chars);
    if (begins(i)) above.chars.Add(CharSet::Of(bytes[i]));
  }
  trie->plain_chars.assign(count, TokenTrie::kNotPlain);
  for (size_t i = 0; i < count; ++i) {
    if (plain[i] && nodes[i].chars.Within(CharSet::Plain())) {
      trie->plain_chars[i] =
          static_cast<uint8_t>(nodes[i].char_depth + nodes[i].max_chars);
    }
    if (state[i] != kBoundary) nodes[i].chars.Add(broken);
  }
}

// Puts the nodes level by level, siblings in falling order of plain_chars,
// adds the one at the end and fills first_child.
void SortByLevel(const std::vector<uint32_t>& parent, TokenTrie::Nodes* trie) {
  const size_t count = trie->nodes.size();
  // The children of `i` are listed from starts[i] to starts[i + 1].
  std::vector<uint32_t> starts(count + 1, 0);
  for (size_t i = 1; i < count; ++i) ++starts[parent[i] + 1];
  for (size_t i = 0; i < count; ++i) starts[i + 1] += starts[i];
  std::vector<uint32_t> children(count - 1);
  std::vector<uint32_t> next(starts);
  for (uint32_t i = 1; i < count; ++i) children[next[parent[i]]++] = i;
  TokenTrie::Nodes sorted;
  sorted.nodes.reserve(count + 1);
  sorted.bytes.reserve(count);
  sorted.plain_chars.reserve(count);
  std::vector<uint32_t> order = {0};  // also the queue
  order.reserve(count);
  for (size_t at = 0; at < order.size(); ++at) {
    const uint32_t i = order[at];
    const auto first = children.begin() + starts[i];
    const auto last = children.begin() + starts[i + 1];
    if (last - first > 1) {
      std::sort(first, last, [&](uint32_t a, uint32_t b) {
        const uint8_t x = trie->plain_chars[a], y = trie->plain_chars[b];
        return x != y ? x > y : a < b;
      });
    }
    TokenTrie::Node node = trie->nodes[i];
    node.first_child = static_cast<uint32_t>(order.size());
    order.insert(order.end(), first, last);
    sorted.nodes.push_back(node);
    sorted.bytes.push_back(trie->bytes[i]);
    sorted.plain_chars.push_back(trie->plain_chars[i]);
  }
  TokenTrie::Node end;
  end.first_child = static_cast<uint32_t>(count);
  sorted.nodes.push_back(end);
  trie->nodes = std::move(sorted.nodes);
  trie->bytes = std::move(sorted.bytes);
  trie->plain_chars = std::move(sorted.plain_chars);
}

}  // namespace

CharSet CharSet::Of(uint8_t first) {
  // Where each group of first bytes begins; they take bits 35 and on.
  static constexpr uint8_t kGroups[] = {
      0xC2, 0xC3, 0xC4, 0xD0, 0xD4, 0xE0, 0xE1, 0xE2, 0xE3, 0xE4,
      0xE5, 0xE6, 0xE7, 0xEA, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF4};
  if (first >= 0x20 && first < 0x60) return {uint64_t{1} << (first - 0x20), 0};
  if (first >= 0x60 && first < 0x80) return {0, uint64_t{1} << (first - 0x60)};
  if (first < 0x20) {
    const int bit = first == '\t' ? 32 : first == '\n' ? 33 : 34;
    return {0, uint64_t{1} << bit};
  }
  if (first < 0xC2 || first > 0xF4) return {0, kBroken};
  int group = 0;
  while (group + 1 < static_cast<int>(std::size(kGroups)) &&
         kGroups[group + 1] <= first) {
    ++group;
  }
  return {0, uint64_t{1} << (35 + group)};
}

TokenTrie::Nodes TokenTrie::BuildNodes(std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.text != b.text ? a.text < b.text : a.token < b.token;
  });
  // First in the order of their texts, each node before those below it.
  Nodes trie;
  std::vector<Node> nodes(1);
  trie.bytes.push_back(0);
  std::vector<uint32_t> parent = {0};
  std::vector<uint32_t> path = {0};  // node of each prefix length
  std::string_view previous;
  auto leave = [&](size_t length) {
    while (path.size() > length) {
      nodes[path.back()].last_token = static_cast<uint32_t>(trie.tokens.size());
      path.pop_back();
    }
  };
  for (const Entry& entry : entries) {
    const size_t shared = CommonPrefix(previous, entry.text);
    leave(shared + 1);
    for (size_t i = shared; i < entry.text.size(); ++i) {
      parent.push_back(path.back());
      path.push_back(static_cast<uint32_t>(nodes.size()));
      Node node;
      node.depth = static_cast<uint8_t>(i + 1);
      node.first_token = static_cast<uint32_t>(trie.tokens.size());
      nodes.push_back(node);
      trie.bytes.push_back(static_cast<uint8_t>(entry.text[i]));
    }
    if (nodes[path.back()].own == kMaxOwn) continue;
    ++nodes[path.back()].own;
    trie.tokens.push_back(entry.token);
    previous = entry.text;
  }
  leave(0);
  trie.nodes = std::move(nodes);
  FillChars(parent, &trie);
  SortByLevel(parent, &trie);
  return trie;
}

std::shared_ptr<const TokenTrie> TokenTrie::Build(const Tokenizer& tokenizer) {
  std::shared_ptr<TokenTrie> trie(new TokenTrie);
  trie->tokenizer_ = &tokenizer;
  trie->size_ = tokenizer.vocab_size();
  trie->leaf_cache_ = std::make_unique<LeafCache>();
  trie->text_.assign(trie->mask_words(), 0);
  for (TokenId id : tokenizer.end_of_generation()) {
    if (id >= 0 && id < trie->size_) trie->end_tokens_.push_back(id);
  }
  std::vector<bool> marker(trie->size_, false);
  for (std::string_view piece : kMarkers) {
    const std::optional<TokenId> id = tokenizer.Find(piece);
    if (id && *id >= 0 && *id < trie->size_) marker[*id] = true;
  }
  for (TokenId id : trie->end_tokens_) marker[id] = true;
  std::vector<Entry> entries;
  for (TokenId id = 0; id < trie->size_; ++id) {
    const TokenKind kind = tokenizer.Kind(id);
    const std::string_view text = tokenizer.Bytes(id);
    const bool is_text = kind == TokenKind::kNormal ||
                         kind == TokenKind::kByte ||
                         kind == TokenKind::kUserDefined;
    if (!is_text || marker[id] || text.empty()) continue;
    if (text.size() > kMaxTokenBytes) continue;
    trie->text_[id / 64] |= uint64_t{1} << (id % 64);
    if (text.size() == 1) trie->has_byte_[static_cast<uint8_t>(text[0])] = true;
    trie->max_token_bytes_ =
        std::max(trie->max_token_bytes_, static_cast<int>(text.size()));
    entries.push_back({text, id});
  }
  trie->nodes_ = BuildNodes(std::move(entries));
  trie->FillPlainMasks();
  trie->CountNodes();
  return trie;
}

void TokenTrie::FillPlainMasks() {
  const size_t words = static_cast<size_t>(mask_words());
  plain_masks_.assign((kMaxPlainChars + 1) * words, 0);
  for (size_t t = 0; t < nodes_.tokens.size(); ++t) {
    const size_t chars = nodes_.token_chars[t];
    if (!nodes_.token_plain[t] || chars > kMaxPlainChars) continue;
    const TokenId id = nodes_.tokens[t];
    plain_masks_[chars * words + id / 64] |= uint64_t{1} << (id % 64);
  }
  for (size_t i = words; i < plain_masks_.size(); ++i) {
    plain_masks_[i] |= plain_masks_[i - words];
  }
}

void TokenTrie::CountNodes() {
  // Behind `chars` characters that may always follow, so many others may.
  constexpr int kOthers = 4;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    // Plain texts of up to `chars` characters are accepted without a walk.
    const int plain = std::min<int>(nodes_.plain_chars[i], kMaxPlainChars + 1);
    const int first = std::max(0, nodes_[i].char_depth - kOthers);
    for (int chars = first; chars < plain; ++chars) ++nodes_behind_[chars];
  }
}

TokenTrie::~TokenTrie() = default;

std::string_view TokenTrie::Text(TokenId id) const {
  return IsText(id) ? tokenizer_->Bytes(id) : std::string_view();
}

bool TokenTrie::IsEndOfGeneration(TokenId id) const {
  return std::find(end_tokens_.begin(), end_tokens_.end(), id) !=
         end_tokens_.end();
}

std::optional<TokenId> TokenTrie::Terminal(std::string_view piece) const {
  const std::optional<TokenId> id = tokenizer_->Find(piece);
  if (!id || *id < 0 || *id >= size_ || IsText(*id)) return std::nullopt;
  return id;
}

}  // namespace carat
