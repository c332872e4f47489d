// Any bytes as text: encoding must lose nothing, give no control token and
// agree between merging by score and by rank; streaming must give valid UTF-8.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer.h"

namespace {

using carat::Tokenizer;

std::string Field(int number, std::string_view bytes) {
  CARAT_CHECK(bytes.size() < 128);
  return std::string{static_cast<char>(number << 3 | 2),
                     static_cast<char>(bytes.size())}
      .append(bytes);
}

// A vocabulary of ten letters' worth of merges, as a SentencePiece model and
// as the tokenizer.json that means the same.
struct Vocabulary {
  std::string model, json;
};

Vocabulary Build() {
  std::vector<std::pair<std::string, int>> pieces = {
      {"<pad>", 3}, {"<eos>", 3}, {"<bos>", 3}, {"<unk>", 2},
      {"\n", 4},    {"\n\n", 4},  {"<td>", 4},  {"<|turn>", 4}};
  for (int i = 0; i < 256; ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(i));
    pieces.emplace_back(name, 6);
  }
  // Every way to make a piece out of two others, the longer left half first:
  // what a converter lists for a vocabulary with scores.
  const std::vector<std::string> merged[] = {
      {"\u2581", "\u2581"}, {"\u2581", "t"}, {"h", "e"},   {"\u2581t", "he"},
      {"a", "a"},           {"aaa", "a"},    {"aa", "aa"}, {"a", "aaa"},
      {"aa", "a"},          {"a", "aa"},     {"<", "t"},   {"\u00e9", "t"},
      {"t", "\u00e9"},      {"e", "<"}};
  std::vector<std::string> normal;
  for (const auto& merge : merged) {
    const std::string piece = merge[0] + merge[1];
    if (normal.empty() || normal.back() != piece) normal.push_back(piece);
  }
  for (const char* c : {"\u2581", "a", "e", "h", "t", "<", "\u00e9"}) {
    normal.push_back(c);
  }
  for (const std::string& piece : normal) pieces.emplace_back(piece, 1);

  Vocabulary result;
  std::string vocab, added, merges;
  int rank = 0;
  for (size_t id = 0; id < pieces.size(); ++id) {
    const auto& [piece, type] = pieces[id];
    const float score = type == 1 ? static_cast<float>(-1 - rank++) : 0;
    std::string entry = Field(1, piece) + std::string(1, 2 << 3 | 5);
    entry.append(reinterpret_cast<const char*>(&score), 4);
    entry += std::string{3 << 3, static_cast<char>(type)};
    result.model += Field(1, entry);
    std::string quoted;
    for (char c : piece)
      quoted += c == '\n' ? std::string("\\n") : std::string(1, c);
    const std::string number = std::to_string(id);
    vocab += (id ? ",\"" : "\"") + quoted + "\":" + number;
    if (type == 3 || type == 4) {
      added += (added.empty() ? "{\"id\":" : ",{\"id\":") + number +
               ",\"content\":\"" + quoted +
               "\",\"special\":" + (type == 3 ? "true}" : "false}");
    }
  }
  for (const auto& merge : merged) {
    merges += (merges.empty() ? "[\"" : ",[\"") + merge[0] + "\",\"" +
              merge[1] + "\"]";
  }
  result.json = "{\"added_tokens\":[" + added + "],\"model\":{\"vocab\":{" +
                vocab + "},\"merges\":[" + merges +
                "],\"unk_token\":\"<unk>\"}}";
  return result;
}

std::unique_ptr<Tokenizer> Loaded(
    carat::Result<std::unique_ptr<Tokenizer>> tokenizer) {
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.status().message().c_str());
  }
  CARAT_CHECK(tokenizer.ok());
  return std::move(*tokenizer);
}

void CheckText(const Tokenizer& tokenizer, std::string_view text,
               const std::vector<carat::TokenId>& ids) {
  std::string expected(text);
  for (size_t at; (at = expected.find("\u2581")) != std::string::npos;) {
    expected.replace(at, 3, " ");
  }
  CARAT_CHECK(tokenizer.Decode(ids) == expected);
  carat::StreamDecoder decoder(&tokenizer);
  std::string streamed;
  for (const carat::TokenId id : ids) {
    CARAT_CHECK(tokenizer.Kind(id) != carat::TokenKind::kControl);
    const std::string part = decoder.Add(id);
    CARAT_CHECK(carat::IsValidUtf8(part));
    streamed += part;
  }
  streamed += decoder.Flush();
  CARAT_CHECK(streamed == carat::SanitizeUtf8(expected));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Vocabulary vocabulary = Build();
  static const auto by_score =
      Loaded(Tokenizer::FromSentencePiece(vocabulary.model));
  static const auto by_rank =
      Loaded(Tokenizer::FromTokenizerJson(vocabulary.json));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto ids = by_score->Encode(text);
  CARAT_CHECK(ids == by_rank->Encode(text));
  CheckText(*by_score, text, ids);
  CARAT_CHECK(by_score->Encode(text, carat::SpecialText::kParse) ==
              by_rank->Encode(text, carat::SpecialText::kParse));
  return 0;
}
