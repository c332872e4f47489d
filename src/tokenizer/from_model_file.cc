// The tokenizer of a model on disk, whatever form it has there.
#include <fmt/format.h>

#include "tokenizer/tokenizer.h"

namespace carat {
namespace {

// config["eos_token_id"]: one id or several.
std::vector<int64_t> StopsOf(const Json& config) {
  std::vector<int64_t> ids;
  const Json* stops = config.Find("eos_token_id");
  if (stops == nullptr) return ids;
  if (stops->is_int()) ids.push_back(stops->as_int());
  if (stops->is_array()) {
    for (const Json& stop : stops->as_array()) {
      if (stop.is_int()) ids.push_back(stop.as_int());
    }
  }
  return ids;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromModelFile(
    const ModelFile& file) {
  Result<std::unique_ptr<Tokenizer>> tokenizer = [&file] {
    if (file.kind() == ModelFile::Kind::kGguf) {
      return FromMetadata(file.metadata());
    }
    if (!file.tokenizer_json().empty()) {
      return FromTokenizerJson(file.tokenizer_json());
    }
    if (!file.tokenizer_model().empty()) {
      return FromSentencePiece(file.tokenizer_model());
    }
    return Result<std::unique_ptr<Tokenizer>>(NotFound(
        "There is neither a tokenizer.json nor a tokenizer.model beside the "
        "weights; download one of them into that folder."));
  }();
  if (!tokenizer.ok()) return tokenizer.status().WithContext(file.path());
  Tokenizer& found = **tokenizer;
  for (const Json* config : {&file.generation_config(), &file.config()}) {
    found.AddStops(StopsOf(*config));
  }
  return tokenizer;
}

}  // namespace carat
