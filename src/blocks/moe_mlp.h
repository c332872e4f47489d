// A mixture of gated MLPs: a router picks the top experts of every row, rows
// are grouped by expert so that each expert's weights are read once, and the
// weighted results are added in ascending order of expert.
#ifndef CARAT_BLOCKS_MOE_MLP_H_
#define CARAT_BLOCKS_MOE_MLP_H_

#include <vector>

#include "blocks/linear.h"
#include "blocks/norm.h"

namespace carat {

// Reusable memory of a mixture layer.
struct MoeWorkspace {
  Activations router_in;      // [rows, hidden]
  Activations probabilities;  // [rows, experts]
  struct Choice {
    int32_t row;
    int32_t expert;
    float weight;
  };
  std::vector<Choice> choices;  // sorted by expert, then row
  std::vector<int32_t> rows;    // of every choice
  std::vector<int32_t> places;  // 0, 1, 2 ...: of a choice in inner and part
  std::vector<MatMulProduct> products;
  Activations inner, part;  // [choices of some experts, ...]
};

struct MoeMlp {
  int experts_used = 0;
  RmsNorm router_norm;              // without weight
  std::vector<float> router_scale;  // [hidden], times hidden^-1/2
  Linear router;                    // [experts, hidden], f32
  std::vector<float> expert_scale;  // [experts], after renormalisation
  std::vector<Linear> gate, up;     // experts x [ffn, hidden]
  std::vector<Linear> down;         // experts x [hidden, ffn]

  // Fills ws.choices from the raw residual stream h [rows, hidden].
  void Route(const Activations& h, MoeWorkspace& ws, ThreadPool& pool) const;
  // y [rows, hidden] = sum over chosen experts of weight * expert(z).
  // z: [rows, hidden], quantised. Experts run together as long as their rows
  // fit the workspace: in decode, all of them in two loops.
  void Forward(const Activations& z, MoeWorkspace& ws, Activations& y,
               ThreadPool& pool) const;

  // Rows of the workspace's inner and part for a step of `rows` rows.
  static int64_t MostChoices(int64_t rows, int experts_used);

 private:
  // Choices [first, last) of whole experts.
  void AddExperts(const Activations& z, size_t first, size_t last,
                  MoeWorkspace& ws, Activations& y, ThreadPool& pool) const;
};

}  // namespace carat

#endif  // CARAT_BLOCKS_MOE_MLP_H_
