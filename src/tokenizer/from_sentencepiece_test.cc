#include "tokenizer/test_vocabulary.h"

namespace carat {
namespace {

TestVocabulary Small(const std::string& name) {
  return FromJson(ReadTestJson(name + ".json"));
}

// A protobuf field holding `bytes`, a number or a float.
std::string Field(int number, std::string_view bytes) {
  std::string field;
  field += static_cast<char>(number << 3 | 2);
  size_t size = bytes.size();
  for (; size > 127; size >>= 7) field += static_cast<char>(size | 128);
  field += static_cast<char>(size);
  return field.append(bytes);
}
std::string Field(int number, int value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}
std::string Field(int number, float value) {
  std::string field(5, static_cast<char>(number << 3 | 5));
  std::memcpy(&field[1], &value, 4);
  return field;
}

std::string SentencePieceModel(const TestVocabulary& vocabulary,
                               int model_type = 2) {
  std::string model;
  for (size_t i = 0; i < vocabulary.pieces.size(); ++i) {
    model += Field(1, Field(1, vocabulary.pieces[i]) +
                          Field(2, vocabulary.scores[i]) +
                          Field(3, vocabulary.types[i]));
  }
  model += Field(2, Field(3, model_type));
  return model + Field(3, Field(3, 0));
}

TEST(SentencePieceTokenizerTest, GivesTheReferencesIds) {
  const std::string model = SentencePieceModel(Small("small_gemma3"));
  const auto tokenizer = Loaded(Tokenizer::FromSentencePiece(model));
  ASSERT_NE(tokenizer, nullptr);
  ExpectGolden(*tokenizer, "small_gemma3");
}

TEST(SentencePieceTokenizerTest, OtherModelTypesAreUnsupported) {
  const std::string model = SentencePieceModel(Small("small_gemma3"), 1);
  EXPECT_EQ(Tokenizer::FromSentencePiece(model).status().code(),
            StatusCode::kUnsupported);
}

TEST(SentencePieceTokenizerTest, TruncationsNeverCrash) {
  const std::string model = SentencePieceModel(Small("small_gemma3"));
  int refused = 0;
  for (size_t size = 0; size < 4000; ++size) {
    refused +=
        !Tokenizer::FromSentencePiece(std::string_view(model).substr(0, size))
             .ok();
  }
  // A prefix that ends behind a piece is a shorter model.
  EXPECT_GT(refused, 3500);
  EXPECT_LT(refused, 4000);
}

}  // namespace
}  // namespace carat
