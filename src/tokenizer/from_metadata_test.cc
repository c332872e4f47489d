#include <algorithm>

#include "tokenizer/test_vocabulary.h"

namespace carat {
namespace {

TestVocabulary Small(const std::string& name) {
  return FromJson(ReadTestJson(name + ".json"));
}

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(GgufTokenizerTest, ScoresGiveTheReferencesIds) {
  const TestVocabulary vocabulary = Small("small_gemma3");
  const auto tokenizer = Loaded(TestMetadata("llama", vocabulary).Load());
  ASSERT_NE(tokenizer, nullptr);
  ExpectGolden(*tokenizer, "small_gemma3");
}

TEST(GgufTokenizerTest, SpacesInUserDefinedPiecesMeanTheMark) {
  TestVocabulary vocabulary = Small("small_gemma3");
  const TokenId two = vocabulary.IdOf("\u2581\u2581");
  ASSERT_GE(two, 0);
  vocabulary.pieces[static_cast<size_t>(two)] = "  ";
  const auto tokenizer = Loaded(TestMetadata("llama", vocabulary).Load());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->Piece(two), "\u2581\u2581");
  ExpectGolden(*tokenizer, "small_gemma3");
}

TEST(GgufTokenizerTest, MergesGiveTheReferencesIds) {
  const TestVocabulary vocabulary = Small("small_gemma4");
  const auto tokenizer = Loaded(TestMetadata("gemma4", vocabulary).Load());
  ASSERT_NE(tokenizer, nullptr);
  ExpectGolden(*tokenizer, "small_gemma4");
}

TEST(GgufTokenizerTest, WrongTypesDoNotChangeWhatMarkersAre) {
  for (const int32_t type : {kGgufNormal, kGgufUserDefined, kGgufUnused}) {
    TestVocabulary vocabulary = Small("small_gemma4");
    const TokenId call = vocabulary.IdOf("<|tool_call>");
    const TokenId quote = vocabulary.IdOf("<|\"|>");
    const TokenId turn = vocabulary.IdOf("<turn|>");
    for (const TokenId id : {call, quote, turn}) {
      vocabulary.types[static_cast<size_t>(id)] = type;
    }
    const auto tokenizer = Loaded(TestMetadata("gemma4", vocabulary).Load());
    ASSERT_NE(tokenizer, nullptr);
    ExpectGolden(*tokenizer, "small_gemma4");
    for (const TokenId id : {call, quote, turn}) {
      EXPECT_EQ(tokenizer->Kind(id), TokenKind::kControl);
    }
    const auto& stops = tokenizer->end_of_generation();
    EXPECT_EQ(std::count(stops.begin(), stops.end(), turn), 1);
  }
}

TEST(GgufTokenizerTest, TypesMayBeMissing) {
  const TestVocabulary vocabulary = Small("small_gemma4");
  TestMetadata meta("gemma4", vocabulary);
  Metadata without;
  for (const auto& [key, value] : meta.meta().all()) {
    if (!key.ends_with("token_type")) without.Set(key, value);
  }
  const auto tokenizer = Loaded(Tokenizer::FromMetadata(without));
  ASSERT_NE(tokenizer, nullptr);
  ExpectGolden(*tokenizer, "small_gemma4");
}

TEST(GgufTokenizerTest, StrikeThroughTypedControlIsTextAndNoStop) {
  TestVocabulary vocabulary = Small("small_gemma4");
  const TokenId id = vocabulary.IdOf("</s>");
  vocabulary.types[static_cast<size_t>(id)] = kGgufControl;
  TestMetadata meta("gemma4", vocabulary);
  meta.Set("eos_token_id", int64_t{id});
  const auto tokenizer = Loaded(meta.Load());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->Kind(id), TokenKind::kNormal);
  EXPECT_EQ(tokenizer->eos(), vocabulary.IdOf("<eos>"));
  const auto& stops = tokenizer->end_of_generation();
  EXPECT_EQ(std::count(stops.begin(), stops.end(), id), 0);
}

TEST(GgufTokenizerTest, DeclaredStopsCountWhenTheyAreMarkers) {
  const TestVocabulary vocabulary = Small("small_gemma4");
  TestMetadata meta("gemma4", vocabulary);
  const TokenId think = vocabulary.IdOf("<|think|>");
  meta.Set("eos_token_id", int64_t{vocabulary.IdOf("<turn|>")});
  meta.Set("eot_token_id", int64_t{think});
  meta.Set("eom_token_id", uint64_t{0xFFFFFFFF});
  const auto tokenizer = Loaded(meta.Load());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->eos(), vocabulary.IdOf("<eos>"));
  const auto& stops = tokenizer->end_of_generation();
  EXPECT_EQ(std::count(stops.begin(), stops.end(), think), 1);
  EXPECT_EQ(stops.size(), 4u);
}

TEST(GgufTokenizerTest, ErrorsNameTheKey) {
  const TestVocabulary vocabulary = Small("small_gemma4");
  Metadata none;
  EXPECT_TRUE(Contains(Tokenizer::FromMetadata(none).status().message(),
                       "tokenizer.ggml.model"));
  const Status unknown = TestMetadata("gpt2", vocabulary).Load().status();
  EXPECT_EQ(unknown.code(), StatusCode::kUnsupported);
  EXPECT_TRUE(Contains(unknown.message(), "gpt2")) << unknown.message();

  TestMetadata few("gemma4", vocabulary);
  few.SetNumbers("token_type", MetaType::kI32, std::vector<int32_t>(7, 1));
  EXPECT_TRUE(Contains(few.Load().status().message(), "token_type"));

  TestMetadata wrong("llama", vocabulary);
  wrong.SetStrings("scores", {"a", "b"});
  EXPECT_TRUE(Contains(wrong.Load().status().message(), "scores"));

  TestMetadata text("gemma4", vocabulary);
  text.Set("tokens", std::string_view("a"));
  EXPECT_TRUE(Contains(text.Load().status().message(), "tokens"));

  TestMetadata empty("gemma4", vocabulary);
  empty.SetStrings("tokens", {});
  empty.SetNumbers("token_type", MetaType::kI32, std::vector<int32_t>());
  EXPECT_FALSE(empty.Load().ok());
}

TEST(GgufTokenizerTest, BrokenMergesAreRefused) {
  const TestVocabulary vocabulary = Small("small_gemma4");
  for (const std::string merge : {"ab", "", " ", "t hxyz", "zqj zqk"}) {
    TestMetadata meta("gemma4", vocabulary);
    meta.SetStrings("merges", {merge});
    const auto loaded = meta.Load();
    EXPECT_FALSE(loaded.ok()) << merge;
    EXPECT_EQ(loaded.status().code(), StatusCode::kMalformed);
  }
}

TEST(GgufTokenizerTest, MergesCannotPutMarkersIntoText) {
  TestVocabulary vocabulary = Small("small_gemma4");
  for (const char* piece : {"tu", "rn", "|>", "<tu", "rn|>"}) {
    vocabulary.pieces.push_back(piece);
    vocabulary.types.push_back(kGgufNormal);
    vocabulary.scores.push_back(0);
  }
  vocabulary.merges = {"t u", "r n", "| >", "< tu", "rn |>", "<tu rn|>"};
  const auto tokenizer = Loaded(TestMetadata("gemma4", vocabulary).Load());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->Encode("<turn|>"),
            Ids({vocabulary.IdOf("<tu"), vocabulary.IdOf("rn|>")}));
}

}  // namespace
}  // namespace carat
