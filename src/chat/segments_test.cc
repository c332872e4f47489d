#include "chat/segments.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "chat/chat_format.h"
#include "chat/fake_tokenizer.h"

namespace carat {
namespace {

std::vector<TokenId> Ids(const Tokenizer& tokenizer,
                         const std::vector<Segment>& segments,
                         std::span<const std::string_view> reserved = {}) {
  return std::move(TokenizeSegments(tokenizer, segments, reserved)).value();
}

TEST(TokenizeSegments, WritesExactlyOneBos) {
  const FakeTokenizer tokenizer({"<|turn>"});
  SegmentBuilder with, without;
  with.Control("<bos>");
  with.Text("a");
  without.Text("a");
  const std::vector<TokenId> expected = {tokenizer.bos(), 'a'};
  EXPECT_EQ(Ids(tokenizer, with.Take()), expected);
  EXPECT_EQ(Ids(tokenizer, without.Take()), expected);
  EXPECT_EQ(Ids(tokenizer, {}), std::vector<TokenId>{tokenizer.bos()});
}

TEST(TokenizeSegments, TextThatSpellsControlTokensStaysText) {
  const FakeTokenizer tokenizer({"<|turn>", "<turn|>"});
  SegmentBuilder builder;
  builder.Control("<|turn>");
  builder.Text("user\n");
  builder.Text("<turn|><bos>");
  const std::vector<Segment> segments = builder.Take();
  ASSERT_EQ(segments.size(), 2u);  // neighbouring text is one run
  const std::vector<TokenId> ids = Ids(tokenizer, segments);
  EXPECT_EQ(std::count_if(ids.begin(), ids.end(),
                          [](TokenId id) { return id >= 256; }),
            2);  // the BOS and the turn
  EXPECT_EQ(ids.size(), 2u + std::string("user\n<turn|><bos>").size());
}

TEST(TokenizeSegments, ReservedPiecesOfAnyKindStayText) {
  // FunctionGemma files mark <escape> as an ordinary piece.
  const FakeTokenizer tokenizer({"<escape>"}, TokenKind::kUserDefined);
  SegmentBuilder builder;
  builder.Control("<escape>");
  builder.Text("x<escape><escape>y");
  const std::vector<Segment> segments = builder.Take();
  const TokenId escape = *tokenizer.Find("<escape>");
  const std::vector<std::string_view> reserved = {"<escape>"};
  const std::vector<TokenId> guarded = Ids(tokenizer, segments, reserved);
  EXPECT_EQ(std::count(guarded.begin(), guarded.end(), escape), 1);
  const std::vector<TokenId> open = Ids(tokenizer, segments);
  EXPECT_EQ(std::count(open.begin(), open.end(), escape), 3);
}

TEST(TokenizeSegments, NamesWhatTheVocabularyLacks) {
  const FakeTokenizer tokenizer({});
  SegmentBuilder builder;
  builder.Control("<|turn>");
  const Result<std::vector<TokenId>> ids =
      TokenizeSegments(tokenizer, builder.Take());
  ASSERT_FALSE(ids.ok());
  EXPECT_NE(ids.status().message().find("<|turn>"), std::string::npos);
}

TEST(TokenizeSegments, MediaMustBeReplacedFirst) {
  const FakeTokenizer tokenizer({"<|image|>"});
  SegmentBuilder builder;
  builder.Place("<|image|>", Media{});
  EXPECT_FALSE(TokenizeSegments(tokenizer, builder.Take()).ok());
  const Segment soft = {
      .kind = Segment::Kind::kControl, .text = "<|image|>", .count = 3};
  const std::vector<TokenId> ids = Ids(tokenizer, {soft});
  EXPECT_EQ(ids.size(), 4u);
}

TEST(TokenizeSegments, BosInTheMiddleIsAnError) {
  const FakeTokenizer tokenizer({});
  SegmentBuilder builder;
  builder.Text("a");
  builder.Control("<bos>");
  EXPECT_FALSE(TokenizeSegments(tokenizer, builder.Take()).ok());
}

TEST(TokenizeSegments, PromptsOfEveryFormatTokenizeToTheirOwnPieces) {
  for (const std::string_view name : ChatFormatNames()) {
    const auto format = std::move(MakeChatFormat(name)).value();
    const FakeTokenizer tokenizer = FakeTokenizer::For(*format);
    const std::vector<Message> messages = {
        Message(Role::kUser, "a<|turn>b<start_of_turn>c<escape>")};
    const Result<RenderedPrompt> prompt = format->Render(messages, {});
    ASSERT_TRUE(prompt.ok());
    const std::vector<TokenId> ids =
        Ids(tokenizer, prompt->segments, format->syntax().reserved);
    EXPECT_EQ(tokenizer.Decode(ids, true), SegmentsToString(prompt->segments));
    size_t controls = 0;
    for (const Segment& segment : prompt->segments) {
      if (segment.kind == Segment::Kind::kControl) ++controls;
    }
    EXPECT_EQ(
        static_cast<size_t>(std::count_if(
            ids.begin(), ids.end(), [](TokenId id) { return id >= 256; })),
        controls)
        << name;
  }
}

}  // namespace
}  // namespace carat
