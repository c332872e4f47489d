// A model on disk, parsed and checked but not loaded: named tensors plus the
// configuration that came with them. Two kinds: GGUF (one file or a split
// series) and a Hugging Face folder (safetensors + config.json +
// tokenizer.json). Every size, offset, count and alignment has been checked
// against the file before a view exists. Immutable and thread-safe after Open.
#ifndef CARAT_FORMATS_MODEL_FILE_H_
#define CARAT_FORMATS_MODEL_FILE_H_

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/status.h"
#include "formats/metadata.h"
#include "tensor/tensor_view.h"

namespace carat {

class ModelFile {
 public:
  enum class Kind { kGguf, kSafetensors };

  // `path`: a .gguf file (any part of a split series opens the whole series),
  // a file that starts with the GGUF magic whatever its name (Ollama blobs),
  // or a folder with safetensors and config.json.
  static Result<std::unique_ptr<ModelFile>> Open(const std::string& path);

  Kind kind() const { return kind_; }
  const std::string& path() const { return path_; }
  uint64_t file_bytes() const { return file_bytes_; }  // all parts together
  // When each of the files with tensors was written to last.
  std::vector<int64_t> modified_ns() const;

  const std::vector<TensorView>& tensors() const { return tensors_; }
  const TensorView* Find(std::string_view name) const;

  // kGguf: the file's metadata (of the first part). Empty for kSafetensors.
  const Metadata& metadata() const { return metadata_; }

  // kSafetensors: the parsed config.json; null value for kGguf.
  const Json& config() const { return config_; }
  // generation_config.json, or null when there is none.
  const Json& generation_config() const { return generation_config_; }
  // Raw bytes of tokenizer.json / tokenizer.model / chat_template.jinja (or
  // the template inside tokenizer_config.json); empty when absent. For kGguf
  // only chat_template is set, from tokenizer.chat_template.
  std::string_view tokenizer_json() const;
  std::string_view tokenizer_model() const;
  std::string_view chat_template() const { return chat_template_; }

  // Lets the kernel drop a tensor's resident pages once it has been repacked.
  void Release(const TensorView& tensor) const;
  // Marks a tensor as read row by row at random.
  void RandomAccess(const TensorView& tensor) const;
  void WillNeed(const TensorView& tensor) const;

 private:
  friend class GgufParser;
  friend class SafetensorsParser;
  Kind kind_ = Kind::kGguf;
  std::string path_;
  uint64_t file_bytes_ = 0;
  std::vector<std::shared_ptr<MappedFile>> files_;
  std::vector<TensorView> tensors_;
  std::unordered_map<std::string, size_t> index_;
  Metadata metadata_;
  Json config_;
  Json generation_config_;
  std::shared_ptr<MappedFile> tokenizer_json_;
  std::shared_ptr<MappedFile> tokenizer_model_;
  std::string chat_template_;
};

}  // namespace carat

#endif  // CARAT_FORMATS_MODEL_FILE_H_
