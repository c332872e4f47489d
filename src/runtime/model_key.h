// Tells models apart by content, for caches that outlive the process.
#ifndef CARAT_RUNTIME_MODEL_KEY_H_
#define CARAT_RUNTIME_MODEL_KEY_H_

#include "base/hash.h"
#include "formats/model_file.h"
#include "models/model.h"

namespace carat {

// A hash over everything that decides what keys and values a prompt has: the
// file's sizes, its configuration, its tensors' names, types, shapes and a
// sample of their bytes; the type and layout of the cache; carat's version.
// Reads a few hundred bytes of each tensor.
Sha256Digest ModelKey(const ModelFile& file, const Model& model);

// The same for packed weights: a hash over what decides their bytes. When the
// files were written counts too, as a sample may miss a change.
Sha256Digest PackedWeightsKey(const ModelFile& file, const Packing& packing);

}  // namespace carat

#endif  // CARAT_RUNTIME_MODEL_KEY_H_
