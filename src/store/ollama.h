// Ollama's store: manifests/HOST/NAMESPACE/MODEL/TAG are JSON files that name
// blobs by digest; the weights lie in blobs/sha256-HEX as GGUF.
#ifndef CARAT_STORE_OLLAMA_H_
#define CARAT_STORE_OLLAMA_H_

#include <string>
#include <string_view>

#include "base/status.h"
#include "store/scan.h"

namespace carat {

void ScanOllama(const std::string& root, ScanResult* out);

// File name below blobs/ of the weights that a manifest names.
Result<std::string> OllamaWeightsBlob(std::string_view manifest);

}  // namespace carat

#endif  // CARAT_STORE_OLLAMA_H_
