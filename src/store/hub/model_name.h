// What a person asks for, as a place on a hub: "org/repo:Q4_0@revision" in
// full, or a short name such as "gemma4:e2b-qat" from a table.
#ifndef CARAT_STORE_HUB_MODEL_NAME_H_
#define CARAT_STORE_HUB_MODEL_NAME_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace carat {

struct HubName {
  std::string repository;  // "org/repo"
  std::string selector;    // a quantisation or a file; empty: choose
  std::string revision;    // branch, tag or commit; empty: main
  std::string short_name;  // "gemma4:e2b-qat"; empty: given in full
};

// Forms: [hf.co/]ORG/REPO[:SELECTOR][@REVISION], ORG/REPO/FILE.gguf, or a
// short name with an optional @REVISION. Errors name the short names.
Result<HubName> ParseHubName(std::string_view text);

struct ShortName {
  const char* name;        // lower case
  const char* repository;  // on Hugging Face
  const char* selector;
};
// In the order in which people should read them.
const std::vector<ShortName>& ShortNames();

}  // namespace carat

#endif  // CARAT_STORE_HUB_MODEL_NAME_H_
