// Private to formats/: what ModelFile::Open chooses between.
#ifndef CARAT_FORMATS_PARSERS_H_
#define CARAT_FORMATS_PARSERS_H_

#include <memory>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "formats/model_file.h"

namespace carat {

// One GGUF file or the split series it belongs to.
class GgufParser {
 public:
  // `file` is the mapping of `path`.
  static Result<std::unique_ptr<ModelFile>> Open(
      const std::string& path, std::shared_ptr<MappedFile> file);

 private:
  static Status AddTensors(const std::string& part,
                           std::vector<TensorView> tensors, ModelFile* model);
  static Status AddSeries(const std::string& path, int64_t count,
                          ModelFile* model);
};

// A Hugging Face folder.
class SafetensorsParser {
 public:
  static Result<std::unique_ptr<ModelFile>> Open(const std::string& folder);

 private:
  static Status AddShard(const std::string& path, ModelFile* model);
  static Status AddWeights(const std::string& folder, ModelFile* model);
  static Status AddConfigs(const std::string& folder, ModelFile* model);
  static Status AddTokenizer(const std::string& folder, ModelFile* model);
};

}  // namespace carat

#endif  // CARAT_FORMATS_PARSERS_H_
