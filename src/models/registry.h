// One line per architecture; see registry.cc.
#ifndef CARAT_MODELS_REGISTRY_H_
#define CARAT_MODELS_REGISTRY_H_

#include <memory>

#include "models/model.h"

namespace carat {

using ModelLoader = Result<std::unique_ptr<Model>> (*)(
    DecoderConfig config, const ModelOptions& options, WeightLoader& loader);

Result<std::unique_ptr<Model>> LoadGemma3(DecoderConfig config,
                                          const ModelOptions& options,
                                          WeightLoader& loader);
Result<std::unique_ptr<Model>> LoadGemma4(DecoderConfig config,
                                          const ModelOptions& options,
                                          WeightLoader& loader);

}  // namespace carat

#endif  // CARAT_MODELS_REGISTRY_H_
