// Any bytes as the body of a request in Gemini's, the Interactions' or
// Ollama's protocol: read into a request or refused with a message.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/base64.h"
#include "api/gemini/path.h"
#include "api/gemini/read_interaction.h"
#include "api/gemini/read_request.h"
#include "api/ollama/packed_conversation.h"
#include "api/ollama/read_request.h"
#include "api/wire_time.h"
#include "base/json.h"

namespace {

void Check(const carat::Status& status) {
  if (!status.ok() && status.message().empty()) std::abort();
}

template <typename T>
void Check(const carat::Result<T>& result) {
  Check(result.status());
}

void ReadPlain(std::string_view text) {
  const auto path = carat::ParseGeminiPath(text);
  if (path && path->resource.empty()) std::abort();
  if (const auto bytes = carat::Base64Decode(text)) {
    const auto again = carat::Base64Decode(carat::Base64Encode(*bytes));
    if (again != *bytes) std::abort();
  }
  if (const auto time = carat::ParseRfc3339(text)) {
    if (carat::ParseRfc3339(carat::Rfc3339(*time)) != *time) std::abort();
  }
  carat::ParseProtoDuration(text);
  carat::ParseGoDuration(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace carat;
  if (size < 2) return 0;
  const uint8_t which = data[0];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1,
                              size - 1);
  ReadPlain(text);
  const Result<Json> body = Json::Parse(text, 128);
  if (!body.ok()) return 0;
  ModelTraits traits;
  traits.name = "m";
  traits.tools = traits.thinking = (which & 16) == 0;
  traits.vision = traits.audio = (which & 32) != 0;
  switch (which & 7) {
    case 0:
      Check(ReadGeminiRequest(*body, traits, nullptr));
      break;
    case 1:
      Check(ReadGeminiPrefix(*body, traits, nullptr));
      Check(WithGeminiPrefix(*body, *body));
      break;
    case 2: {
      const auto head = ReadInteractionHead(*body);
      Check(head);
      if (head.ok()) {
        Check(ReadInteraction(*body, head->steps, traits, nullptr));
      }
      break;
    }
    case 3:
      Check(ReadOllamaHead(*body));
      Check(ReadOllamaChat(*body, traits));
      break;
    case 4:
      Check(ReadOllamaGenerate(*body, traits));
      break;
    default:
      Check(UnpackConversation(*body));
      break;
  }
  return 0;
}
