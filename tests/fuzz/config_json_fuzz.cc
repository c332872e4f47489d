// JSON text: what parses must survive being written and parsed again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"
#include "formats/hf_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const carat::Result<carat::Json> json = carat::Json::Parse(text);
  if (!json.ok()) {
    CARAT_CHECK(carat::IsValidUtf8(json.status().message()));
    return 0;
  }
  for (const int indent : {-1, 2}) {
    const std::string dump = json->Dump(indent);
    CARAT_CHECK(carat::IsValidUtf8(dump));
    const carat::Result<carat::Json> again = carat::Json::Parse(dump);
    CARAT_CHECK(again.ok());
    CARAT_CHECK(*again == *json);
  }
  const carat::Result<carat::Json> config = carat::ParseConfigJson(text);
  if (config.ok()) (void)carat::ChatTemplateOf(*config).ok();
  return 0;
}
