#include <algorithm>

#include "tokenizer/test_vocabulary.h"

namespace carat {
namespace {

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(JsonTokenizerTest, MergesMayBeStrings) {
  for (const std::string name : {"small_gemma3", "small_gemma4"}) {
    Json json = ReadTestJson(name + ".json");
    for (Json& merge : json.Find("model")->Find("merges")->as_array()) {
      merge = Json(merge.as_array()[0].as_string() + " " +
                   merge.as_array()[1].as_string());
    }
    const auto tokenizer = Loaded(Tokenizer::FromTokenizerJson(json.Dump(1)));
    ASSERT_NE(tokenizer, nullptr);
    ExpectGolden(*tokenizer, name);
  }
}

TEST(JsonTokenizerTest, AddedTokensMayLieBeyondTheVocabulary) {
  Json json = ReadTestJson("small_gemma3.json");
  Json token = Json::MakeObject();
  token.Set("id", 5000);
  token.Set("content", "<image_soft_token>");
  token.Set("special", true);
  json.Find("added_tokens")->Append(token);
  const auto tokenizer = Loaded(Tokenizer::FromTokenizerJson(json.Dump()));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->vocab_size(), 5001);
  EXPECT_EQ(tokenizer->Kind(4999), TokenKind::kUnused);
  EXPECT_EQ(tokenizer->Encode("<image_soft_token>", SpecialText::kParse),
            Ids({5000}));
  ExpectGolden(*tokenizer, "small_gemma3");
}

TEST(JsonTokenizerTest, UnknownTagsAreKeptOutOfPlainTextButDecode) {
  Json json = ReadTestJson("small_gemma3.json");
  Json token = Json::MakeObject();
  token.Set("id", 5000);
  token.Set("content", "<answer>");
  token.Set("special", false);
  json.Find("added_tokens")->Append(token);
  const auto tokenizer = Loaded(Tokenizer::FromTokenizerJson(json.Dump()));
  ASSERT_NE(tokenizer, nullptr);
  const Ids plain = tokenizer->Encode("<answer>");
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 5000), 0);
  EXPECT_EQ(tokenizer->Encode("<answer>", SpecialText::kParse), Ids({5000}));
  EXPECT_EQ(tokenizer->Bytes(5000), "<answer>");
}

TEST(JsonTokenizerTest, EveryTruncationIsAnError) {
  const std::string json = ReadTestFile("small_gemma4.json");
  const size_t end = json.find_last_of('}');
  for (size_t size = 0; size < end; size += 1 + size / 7) {
    EXPECT_FALSE(
        Tokenizer::FromTokenizerJson(std::string_view(json).substr(0, size))
            .ok())
        << size;
  }
  EXPECT_FALSE(Tokenizer::FromTokenizerJson(json + "x").ok());
}

TEST(JsonTokenizerTest, DamagedFilesAreRefusedWithAReason) {
  const struct {
    const char* json;
    const char* reason;
  } kCases[] = {
      {"", "ends"},
      {"[]", "object"},
      {"{}", "model.vocab"},
      {R"({"model":{"type":"Unigram","vocab":{"a":0},"merges":[]}})",
       "Unigram"},
      {R"({"model":{"vocab":{"a":0},"merges":[]}})", "byte tokens"},
      {R"({"model":{"vocab":{"a":-1},"merges":[]}})", "-1"},
      {R"({"model":{"vocab":{"a":99999999},"merges":[]}})", "99999999"},
      {R"({"model":{"vocab":{"a":1.5},"merges":[]}})", "integer"},
      {R"({"model":{"vocab":{"a":0,"<unk>":1},"merges":["ab"]}})", "space"},
      {R"({"model":{"vocab":{"a":0,"<unk>":1},"merges":[["a"]]}})", "two"},
      {R"({"model":{"vocab":{"a":0,"<unk>":1},"merges":[["a","b"]]}})",
       "\"b\""},
      {R"({"model":{"vocab":{"a":0,"<unk>":1},"merges":[]},})", "','"},
  };
  for (const auto& [json, reason] : kCases) {
    const Status status = Tokenizer::FromTokenizerJson(json).status();
    EXPECT_TRUE(Contains(status.message(), reason)) << status.message();
  }
}

TEST(JsonTokenizerTest, MarkersCannotStandForUnknownText) {
  const Status status =
      Tokenizer::FromTokenizerJson(
          R"({"model":{"vocab":{"<bos>":0,"a":1},"merges":[],)"
          R"("unk_token":"<bos>"}})")
          .status();
  EXPECT_TRUE(Contains(status.message(), "neither")) << status.message();
}

TEST(JsonTokenizerTest, WithoutByteTokensUnknownTextIsOneUnk) {
  const auto tokenizer = Loaded(Tokenizer::FromTokenizerJson(
      R"({"model":{"vocab":{"<unk>":0,"a":1,"b":2,"ab":3},)"
      R"("merges":["a b"],"unk_token":"<unk>"}})"));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->Encode("abxyzba"), Ids({3, 0, 2, 1}));
  EXPECT_EQ(tokenizer->Encode("\xFF"), Ids({0}));
}

}  // namespace
}  // namespace carat
