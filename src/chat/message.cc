#include "carat/message.h"

namespace carat {

const char* RoleName(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kDeveloper:
      return "developer";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "user";
}

std::string Message::text() const {
  std::string joined;
  for (const Part& part : parts) {
    if (const Text* text = std::get_if<Text>(&part)) joined += text->text;
  }
  return joined;
}

std::string Message::thought() const {
  std::string joined;
  for (const Part& part : parts) {
    if (const Thought* t = std::get_if<Thought>(&part)) joined += t->text;
  }
  return joined;
}

bool Message::has_tool_calls() const {
  for (const Part& part : parts) {
    if (std::holds_alternative<ToolCall>(part)) return true;
  }
  return false;
}

}  // namespace carat
