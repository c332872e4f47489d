#include "cli/chat_model.h"

#include <fmt/format.h>

#include <utility>

#include "base/utf8.h"
#include "cli/model_argument.h"

namespace carat {

Result<ChatModel> OpenChatModel(const std::string& model,
                                const std::string& forced) {
  ChatModel out;
  CARAT_ASSIGN_OR_RETURN(const std::string path, FindModel(model));
  CARAT_ASSIGN_OR_RETURN(out.file, ModelFile::Open(path));
  CARAT_ASSIGN_OR_RETURN(out.tokenizer, Tokenizer::FromModelFile(*out.file));
  CARAT_ASSIGN_OR_RETURN(out.format,
                         DetectChatFormat(*out.file, *out.tokenizer, forced));
  if (out.format->name() == "none") {
    return FailedPrecondition(
        fmt::format("{} is a base model without a chat format; force one with "
                    "--chat-format.",
                    QuoteForMessage(model, 200)));
  }
  return out;
}

}  // namespace carat
