// What a token costs, from the shapes of a model's matrices: the bytes of
// weights that a step of one row reads and the multiply-adds of its matrix
// products. Attention itself, norms and look-ups in tables are not counted.
#ifndef CARAT_MODELS_TOKEN_WORK_H_
#define CARAT_MODELS_TOKEN_WORK_H_

#include <cstdint>
#include <vector>

#include "blocks/kv_layout.h"
#include "blocks/weight_loader.h"
#include "models/config.h"

namespace carat {

struct TokenWork {
  uint64_t decode_bytes = 0;  // of packed weights, for a step of one row
  uint64_t decode_multiply_adds = 0;
  // Of a prompt's token that no output is wanted of: without the output head
  // and without what only such tokens need, from the queries of the last layer
  // that owns a cache on.
  uint64_t prefill_multiply_adds = 0;
};

// Mixtures count the experts that one token uses.
TokenWork CountTokenWork(const std::vector<PackedPiece>& pieces,
                         const DecoderConfig& config, const KvLayout& layout);

}  // namespace carat

#endif  // CARAT_MODELS_TOKEN_WORK_H_
