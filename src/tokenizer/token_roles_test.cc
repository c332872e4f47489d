#include "tokenizer/token_roles.h"

#include <gtest/gtest.h>

namespace carat {
namespace {

TEST(TokenRolesTest, KnowsMarkersByName) {
  for (const char* piece : {"<bos>",
                            "<eos>",
                            "<pad>",
                            "<mask>",
                            "<start_of_turn>",
                            "<end_of_image>",
                            "<|turn>",
                            "<turn|>",
                            "<|think|>",
                            "<|\"|>",
                            "<|fim_prefix|>",
                            "<unused0>",
                            "<unused6241>",
                            "<image_soft_token>",
                            "<start_function_call>",
                            "<end_function_response>",
                            "<escape>",
                            "[multimodal]",
                            "[@BOS@]",
                            "<2mass>"}) {
    EXPECT_TRUE(IsMarkerName(piece)) << piece;
    EXPECT_FALSE(IsTextName(piece)) << piece;
  }
}

TEST(TokenRolesTest, LeavesTextThatOnlyLooksLikeMarkersAlone) {
  for (const char* piece :
       {"", "<", "<>", "<|>", "<||>", "<=>", "<()>", "bos", "<bos", "bos>",
        "< bos>", "<unused>", "<unusedx>", "<table>", "[,]", "<|a b|>"}) {
    EXPECT_FALSE(IsMarkerName(piece)) << piece;
  }
}

TEST(TokenRolesTest, TextIsWhitespaceTagsAndWords) {
  for (const char* piece : {"\n\n", "\t", "\u2581\u2581", "<table>", "</s>",
                            "<h1>", "</blockquote>", "<loc0123>", "word"}) {
    EXPECT_TRUE(IsTextName(piece)) << piece;
  }
  for (const char* piece : {"<answer>", "<tool_x>", "[X]", "a|b", "<|x"}) {
    EXPECT_FALSE(IsTextName(piece)) << piece;
  }
}

TEST(TokenRolesTest, ReadsBytePieces) {
  EXPECT_EQ(ParseBytePiece("<0x00>"), 0x00);
  EXPECT_EQ(ParseBytePiece("<0xFF>"), 0xFF);
  for (const char* piece : {"<0xff>", "<0x0>", "<0x000>", "<0xG0>", "0x00"}) {
    EXPECT_FALSE(ParseBytePiece(piece).has_value()) << piece;
  }
}

TEST(TokenRolesTest, NamesOverruleWrongTypes) {
  EXPECT_EQ(ResolveKind("<|turn>", TokenKind::kNormal), TokenKind::kControl);
  EXPECT_EQ(ResolveKind("<|\"|>", TokenKind::kUserDefined),
            TokenKind::kControl);
  EXPECT_EQ(ResolveKind("</s>", TokenKind::kControl), TokenKind::kNormal);
  EXPECT_EQ(ResolveKind("</s>", TokenKind::kUserDefined),
            TokenKind::kUserDefined);
  EXPECT_EQ(ResolveKind("<unk>", TokenKind::kNormal), TokenKind::kUnknown);
  EXPECT_EQ(ResolveKind("<0x41>", TokenKind::kNormal), TokenKind::kByte);
  EXPECT_EQ(ResolveKind("A", TokenKind::kByte), TokenKind::kUnused);
  EXPECT_EQ(ResolveKind("<unused7>", TokenKind::kUserDefined),
            TokenKind::kControl);
  EXPECT_EQ(ResolveKind("<unused7>", TokenKind::kNormal), TokenKind::kNormal);
}

}  // namespace
}  // namespace carat
