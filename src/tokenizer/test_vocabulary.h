// For tests: the small Gemma vocabularies of tests/data/tokenizer, in every
// file format.
#ifndef CARAT_TOKENIZER_TEST_VOCABULARY_H_
#define CARAT_TOKENIZER_TEST_VOCABULARY_H_

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "formats/metadata.h"
#include "tokenizer/tokenizer.h"

namespace carat {

using Ids = std::vector<TokenId>;

inline std::string ReadTestFile(const std::string& name) {
  std::ifstream file(std::string(CARAT_TEST_DATA) + "/tokenizer/" + name,
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Json ReadTestJson(const std::string& name) {
  Result<Json> json = Json::Parse(ReadTestFile(name));
  EXPECT_TRUE(json.ok()) << json.status().message();
  return json.ok() ? *json : Json();
}

// GGUF token types.
enum GgufType : int32_t {
  kGgufNormal = 1,
  kGgufUnknown,
  kGgufControl,
  kGgufUserDefined,
  kGgufUnused,
  kGgufByte,
};

// The pieces of a vocabulary with what GGUF and SentencePiece say about them.
struct TestVocabulary {
  std::vector<std::string> pieces;
  std::vector<int32_t> types;
  std::vector<float> scores;
  std::vector<std::string> merges;  // "a b"

  TokenId IdOf(std::string_view piece) const {
    for (size_t i = 0; i < pieces.size(); ++i) {
      if (pieces[i] == piece) return static_cast<TokenId>(i);
    }
    return -1;
  }
};

// What converters write for a tokenizer.json.
inline TestVocabulary FromJson(const Json& json) {
  TestVocabulary result;
  const Json& model = *json.Find("model");
  const auto& vocab = model.Find("vocab")->as_object();
  result.pieces.resize(vocab.size());
  result.types.assign(vocab.size(), kGgufNormal);
  result.scores.resize(vocab.size());
  for (const auto& [piece, id] : vocab) {
    const size_t index = static_cast<size_t>(id.as_int());
    result.pieces[index] = piece;
    result.scores[index] = -static_cast<float>(index);
    if (piece.starts_with("<0x")) result.types[index] = kGgufByte;
  }
  for (const Json& token : json.Find("added_tokens")->as_array()) {
    const size_t index = static_cast<size_t>(token.Find("id")->as_int());
    const std::string& piece = result.pieces[index];
    const bool control = token.Find("special")->as_bool() ||
                         piece.starts_with("<unused") || piece == "<mask>";
    result.types[index] = control ? kGgufControl : kGgufUserDefined;
    result.scores[index] = -1000;
  }
  result.types[static_cast<size_t>(result.IdOf("<unk>"))] = kGgufUnknown;
  for (const Json& merge : model.Find("merges")->as_array()) {
    result.merges.push_back(merge.as_array()[0].as_string() + " " +
                            merge.as_array()[1].as_string());
  }
  return result;
}

// GGUF metadata; it owns what its values view.
class TestMetadata {
 public:
  TestMetadata(std::string_view model, const TestVocabulary& vocabulary) {
    Set("model", model);
    SetStrings("tokens", vocabulary.pieces);
    SetNumbers("token_type", MetaType::kI32, vocabulary.types);
    SetNumbers("scores", MetaType::kF32, vocabulary.scores);
    if (model == "gemma4") SetStrings("merges", vocabulary.merges);
  }

  void Set(const std::string& name, MetaValue value) {
    meta_.Set("tokenizer.ggml." + name, std::move(value));
  }
  void SetStrings(const std::string& name, std::vector<std::string> strings) {
    const auto& kept = strings_.emplace_back(std::move(strings));
    MetaArray array;
    array.type = MetaType::kString;
    array.count = kept.size();
    array.strings.assign(kept.begin(), kept.end());
    Set(name, array);
  }
  template <typename T>
  void SetNumbers(const std::string& name, MetaType type,
                  const std::vector<T>& numbers) {
    std::string& bytes = bytes_.emplace_back(numbers.size() * sizeof(T), '\0');
    if (!numbers.empty()) {
      std::memcpy(bytes.data(), numbers.data(), bytes.size());
    }
    MetaArray array;
    array.type = type;
    array.count = numbers.size();
    array.raw = reinterpret_cast<const uint8_t*>(bytes.data());
    Set(name, array);
  }

  const Metadata& meta() const { return meta_; }
  Result<std::unique_ptr<Tokenizer>> Load() const {
    return Tokenizer::FromMetadata(meta_);
  }

 private:
  std::deque<std::vector<std::string>> strings_;
  std::deque<std::string> bytes_;
  Metadata meta_;
};

// The tokenizer, or a failed test.
inline std::unique_ptr<Tokenizer> Loaded(
    Result<std::unique_ptr<Tokenizer>> tokenizer) {
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
}

inline std::unique_ptr<Tokenizer> SmallTokenizer(const std::string& name) {
  return Loaded(Tokenizer::FromTokenizerJson(ReadTestFile(name + ".json")));
}

inline Ids IdsOf(const Json& json) {
  Ids ids;
  for (const Json& id : json.as_array()) {
    ids.push_back(static_cast<TokenId>(id.as_int()));
  }
  return ids;
}

// Compares with the reference's ids of golden.json, plain and parsed.
inline void ExpectGolden(const Tokenizer& tokenizer, const std::string& name) {
  const Json golden = ReadTestJson("golden.json");
  const auto& texts = golden.Find("texts")->as_array();
  const auto& answers = golden.Find(name)->as_array();
  ASSERT_EQ(texts.size(), answers.size());
  ASSERT_GT(texts.size(), 200u);
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string& text = texts[i].as_string();
    const Json& answer = answers[i];
    const bool differ =
        !answer.as_array().empty() && answer.as_array()[0].is_array();
    const Ids plain = IdsOf(differ ? answer.as_array()[0] : answer);
    const Ids parsed = IdsOf(differ ? answer.as_array()[1] : answer);
    EXPECT_EQ(tokenizer.Encode(text), plain) << text;
    EXPECT_EQ(tokenizer.Encode(text, SpecialText::kParse), parsed) << text;
  }
}

}  // namespace carat

#endif  // CARAT_TOKENIZER_TEST_VOCABULARY_H_
