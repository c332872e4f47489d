#include "models/token_work.h"

#include <gtest/gtest.h>

namespace carat {
namespace {

// Four layers of which the last two read the caches of the first two.
KvLayout Layout() {
  KvLayout layout;
  layout.AddOwner(layout.GroupFor(0), KvType::kF16, 1, 64);
  layout.AddOwner(layout.GroupFor(0), KvType::kF16, 1, 64);
  layout.AddReader(0);
  layout.AddReader(1);
  return layout;
}

TEST(TokenWorkTest, PrefillLeavesOutWhatOnlyOutputsNeed) {
  const std::vector<PackedPiece> pieces = {
      {"per_layer_model_proj.weight", 1, 1'000},
      {"blk.0.attn_q.weight", 10, 1'000},
      {"blk.1.attn_q.weight", 100, 1'000},
      {"blk.1.attn_k.weight", 1'000, 1'000},
      {"blk.1.attn_v.weight", 10'000, 1'000},
      {"blk.2.attn_q.weight", 100'000, 1'000},
      {"token_embd.weight", 1'000'000, 1'000}};
  const TokenWork work = CountTokenWork(pieces, DecoderConfig(), Layout());
  EXPECT_EQ(work.decode_bytes, 7'000u);
  EXPECT_EQ(work.decode_multiply_adds, 1'111'111u);
  EXPECT_EQ(work.prefill_multiply_adds, 11'011u);
}

TEST(TokenWorkTest, MixturesCountTheExpertsInUse) {
  DecoderConfig config;
  config.experts = 8;
  config.experts_used = 2;
  const TokenWork work =
      CountTokenWork({{"blk.0.ffn_up_exps.weight", 800, 4'000},
                      {"blk.0.ffn_gate_inp.weight", 5, 40}},
                     config, Layout());
  EXPECT_EQ(work.decode_bytes, 1'040u);
  EXPECT_EQ(work.decode_multiply_adds, 205u);
  EXPECT_EQ(work.prefill_multiply_adds, 205u);
}

}  // namespace
}  // namespace carat
