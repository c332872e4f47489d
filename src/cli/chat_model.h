// What `render` and `parse` need of a model: its vocabulary and chat format.
// Weights are not loaded.
#ifndef CARAT_CLI_CHAT_MODEL_H_
#define CARAT_CLI_CHAT_MODEL_H_

#include <memory>
#include <string>

#include "base/status.h"
#include "chat/chat_format.h"
#include "formats/model_file.h"
#include "tokenizer/tokenizer.h"

namespace carat {

struct ChatModel {
  std::unique_ptr<ModelFile> file;       // null without a model
  std::unique_ptr<Tokenizer> tokenizer;  // null without a model
  std::unique_ptr<ChatFormat> format;
};

// `forced`: a name from --chat-format, or empty. A base model is an error.
Result<ChatModel> OpenChatModel(const std::string& model,
                                const std::string& forced);

}  // namespace carat

#endif  // CARAT_CLI_CHAT_MODEL_H_
