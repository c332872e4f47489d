// Tokenizes a stream of lines for tools/reference/check_tokenizer.py.
//
//   tokenize_lines FILE [--parse | --decode]
//
// FILE is a .gguf file, a model folder, a tokenizer.json or a SentencePiece
// .model. Every input line is a JSON string; the answer is a line with a JSON
// array of ids. --parse lets control tokens come out of the text; --decode
// turns it around: arrays in, strings out.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "formats/model_file.h"
#include "tokenizer/tokenizer.h"

namespace {

using carat::Json;
using carat::Tokenizer;

carat::Result<std::unique_ptr<Tokenizer>> Load(const std::string& path) {
  if (!path.ends_with(".json") && !path.ends_with(".model")) {
    CARAT_ASSIGN_OR_RETURN(const std::unique_ptr<carat::ModelFile> file,
                           carat::ModelFile::Open(path));
    return Tokenizer::FromModelFile(*file);
  }
  CARAT_ASSIGN_OR_RETURN(const std::shared_ptr<carat::MappedFile> file,
                         carat::MappedFile::Open(path));
  const std::string_view bytes(
      reinterpret_cast<const char*>(file->bytes().data()),
      file->bytes().size());
  return path.ends_with(".json") ? Tokenizer::FromTokenizerJson(bytes)
                                 : Tokenizer::FromSentencePiece(bytes);
}

Json Answer(const Tokenizer& tokenizer, const Json& input,
            carat::SpecialText special) {
  if (input.is_string()) {
    Json ids = Json::MakeArray();
    for (int id : tokenizer.Encode(input.as_string(), special)) ids.Append(id);
    return ids;
  }
  std::vector<carat::TokenId> ids;
  for (const Json& id : input.as_array()) {
    ids.push_back(static_cast<carat::TokenId>(id.as_int()));
  }
  return tokenizer.Decode(ids);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: tokenize_lines FILE [--parse]\n");
    return 2;
  }
  const auto tokenizer = Load(argv[1]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.status().message().c_str());
    return 1;
  }
  const bool parse = argc > 2 && std::string(argv[2]) == "--parse";
  const auto special =
      parse ? carat::SpecialText::kParse : carat::SpecialText::kPlain;
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto input = Json::Parse(line);
    if (!input.ok() || !(input->is_string() || input->is_array())) {
      std::fprintf(stderr, "a line is neither a JSON string nor an array\n");
      return 1;
    }
    std::cout << Answer(**tokenizer, *input, special).Dump() << '\n';
  }
  return 0;
}
