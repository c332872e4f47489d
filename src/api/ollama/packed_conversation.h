// Ollama's "context": numbers that one answer of /api/generate gives and the
// next request gives back to go on. Here they hold the conversation itself, so
// that the prompt is rendered from messages again and nothing is kept on the
// server. Clients do not look inside.
#ifndef CARAT_API_OLLAMA_PACKED_CONVERSATION_H_
#define CARAT_API_OLLAMA_PACKED_CONVERSATION_H_

#include <span>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "carat/message.h"

namespace carat {

Json PackConversation(std::span<const Message> messages);

// Errors: numbers that did not come from PackConversation.
Result<std::vector<Message>> UnpackConversation(const Json& numbers);

}  // namespace carat

#endif  // CARAT_API_OLLAMA_PACKED_CONVERSATION_H_
