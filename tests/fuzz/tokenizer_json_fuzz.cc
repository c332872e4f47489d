// tokenizer.json bytes: what loads must encode any text and decode it again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto loaded = carat::Tokenizer::FromTokenizerJson(json);
  if (!loaded.ok()) {
    CARAT_CHECK(carat::IsValidUtf8(loaded.status().message()));
    return 0;
  }
  const carat::Tokenizer& tokenizer = **loaded;
  // The file itself is the text most likely to meet its own pieces.
  for (const auto special :
       {carat::SpecialText::kPlain, carat::SpecialText::kParse}) {
    const auto ids = tokenizer.Encode(json, special);
    for (const carat::TokenId id : ids) {
      CARAT_CHECK(id >= 0 && id < tokenizer.vocab_size());
      CARAT_CHECK(special == carat::SpecialText::kParse ||
                  tokenizer.Kind(id) != carat::TokenKind::kControl);
    }
    (void)tokenizer.Decode(ids, /*keep_control=*/true);
  }
  for (const carat::TokenId id : tokenizer.end_of_generation()) {
    CARAT_CHECK(tokenizer.Kind(id) == carat::TokenKind::kControl);
  }
  return 0;
}
