// What the name of a GGUF file tells: whether it is one, which part of a
// series, which quantisation. Names come from foreign folders and hubs.
#ifndef CARAT_STORE_GGUF_NAMES_H_
#define CARAT_STORE_GGUF_NAMES_H_

#include <string>
#include <string_view>

namespace carat {

bool HasGgufEnd(std::string_view name);
// Without ".gguf".
std::string GgufStem(std::string_view name);

// Vision and audio towers that other programs keep in a file of their own.
bool IsProjectorName(std::string_view name);

// "model-00002-of-00004" -> "model", part 2 of 4.
struct SplitName {
  std::string base;
  int part = 0;  // 0: not a part of a series
  int parts = 0;
};
SplitName ParseSplitName(const std::string& stem);

// "Q4_K_M", "BF16" ... from the last word of a GGUF's file name, upper case;
// empty when its name does not say.
std::string QuantisationInName(std::string_view file_name);
// The same from any word of it, also behind an underscore
// ("gemma-4-E2B_q4_0-it.gguf"); the last one wins.
std::string QuantisationAnywhere(std::string_view file_name);

// ASCII only.
std::string UpperAscii(std::string_view text);
std::string LowerAscii(std::string_view text);

}  // namespace carat

#endif  // CARAT_STORE_GGUF_NAMES_H_
