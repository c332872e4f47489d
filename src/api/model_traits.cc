#include "api/model_traits.h"

#include <algorithm>

#include "chat/chat_format.h"

namespace carat {
namespace {

constexpr int64_t kLowThoughtTokens = 1024;
constexpr int64_t kMediumThoughtTokens = 8192;

}  // namespace

ModelTraits TraitsOf(const HostedModel& model, const ModelInfo& info) {
  ModelTraits traits;
  traits.name = model.name;
  traits.sampling = info.sampling;
  traits.chat = !info.chat_format.empty() && info.chat_format != "none";
  if (traits.chat) {
    if (auto format = MakeChatFormat(info.chat_format); format.ok()) {
      traits.tools = (*format)->supports_tools();
      traits.thinking = (*format)->supports_thinking();
    }
  }
  const auto can = [&](std::string_view what) {
    return std::find(info.capabilities.begin(), info.capabilities.end(),
                     what) != info.capabilities.end();
  };
  traits.vision = can("vision");
  traits.audio = can("audio");
  return traits;
}

ModelTraits TraitsOf(const ModelLease& lease) {
  return TraitsOf(lease.model, lease.engine->info());
}

bool Takes(const ModelTraits& traits, MediaKind kind) {
  return kind == MediaKind::kAudio ? traits.audio : traits.vision;
}

const char* MediaKindPhrase(MediaKind kind) {
  switch (kind) {
    case MediaKind::kImage:
      return "an image";
    case MediaKind::kAudio:
      return "a sound";
    case MediaKind::kVideo:
      return "a video";
  }
  return "media";
}

void ApplyThinking(ThinkingLevel level, GenerateRequest* request) {
  request->think = level != ThinkingLevel::kOff;
  request->max_thought_tokens = level == ThinkingLevel::kLow ? kLowThoughtTokens
                                : level == ThinkingLevel::kMedium
                                    ? kMediumThoughtTokens
                                    : -1;
}

}  // namespace carat
