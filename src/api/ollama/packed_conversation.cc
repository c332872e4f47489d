#include "api/ollama/packed_conversation.h"

#include <string>
#include <utility>
#include <variant>

#include "chat/messages_json.h"

namespace carat {
namespace {

// Tells these numbers from token ids of another server; then the number of
// bytes, then three bytes a number.
constexpr int64_t kMark = 0x7CA2A7;

Status Foreign() {
  return InvalidArgument(
      "'context' holds numbers that this server did not write. Send back the "
      "'context' of an earlier answer of this server unchanged, or use "
      "/api/chat.");
}

}  // namespace

Json PackConversation(std::span<const Message> messages) {
  // Pictures are not carried along: the numbers would be larger than they are.
  std::vector<Message> words(messages.begin(), messages.end());
  for (Message& message : words) {
    std::erase_if(message.parts, [](const Part& part) {
      return std::holds_alternative<Media>(part);
    });
  }
  const std::string text = MessagesToJson(words);
  Json out = Json::MakeArray();
  out.Append(kMark);
  out.Append(static_cast<int64_t>(text.size()));
  for (size_t i = 0; i < text.size(); i += 3) {
    int64_t packed = 0;
    for (size_t k = 0; k < 3; ++k) {
      const unsigned char byte =
          i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0;
      packed = packed << 8 | byte;
    }
    out.Append(packed);
  }
  return out;
}

Result<std::vector<Message>> UnpackConversation(const Json& numbers) {
  if (!numbers.is_array()) return Foreign();
  const Json::Array& values = numbers.as_array();
  if (values.size() < 2 || values[0] != Json(kMark) || !values[1].is_int()) {
    return Foreign();
  }
  const int64_t bytes = values[1].as_int();
  const int64_t most = static_cast<int64_t>(values.size() - 2) * 3;
  if (bytes > most || bytes <= most - 3) return Foreign();
  std::string text;
  for (size_t i = 2; i < values.size(); ++i) {
    if (!values[i].is_int()) return Foreign();
    const int64_t packed = values[i].as_int();
    if (packed < 0 || packed > 0xFFFFFF) return Foreign();
    for (const int shift : {16, 8, 0}) {
      text += static_cast<char>(packed >> shift & 0xFF);
    }
  }
  text.resize(static_cast<size_t>(bytes));
  auto conversation = ConversationFromJson(text);
  if (!conversation.ok()) return Foreign();
  return std::move(conversation->messages);
}

}  // namespace carat
