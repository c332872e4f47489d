#include "sampling/stop.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr size_t kMaxStops = 64;
constexpr size_t kMaxStopBytes = 4096;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes at the end of `text` that begin a character but do not complete it.
size_t IncompleteTail(std::string_view text) {
  return text.size() - CompleteUtf8Prefix(text);
}

}  // namespace

Result<StopStrings> StopStrings::Create(const std::vector<std::string>& stops) {
  if (stops.size() > kMaxStops) {
    return InvalidArgument(
        fmt::format("{} stop strings were given; at most {} are possible.",
                    stops.size(), kMaxStops));
  }
  StopStrings out;
  for (size_t i = 0; i < stops.size(); ++i) {
    if (stops[i].empty()) {
      return InvalidArgument(
          fmt::format("Stop string {} is empty; remove it.", i + 1));
    }
    if (stops[i].size() > kMaxStopBytes) {
      return InvalidArgument(
          fmt::format("Stop string {} has {} bytes; at most {} are possible.",
                      i + 1, stops[i].size(), kMaxStopBytes));
    }
    if (!IsValidUtf8(stops[i])) {
      return InvalidArgument(
          fmt::format("Stop string {} is not valid UTF-8.", i + 1));
    }
    out.patterns_.push_back(MakePattern(stops[i]));
  }
  return out;
}

StopStrings::Pattern StopStrings::MakePattern(const std::string& text) {
  Pattern pattern{.text = text, .fail = std::vector<uint32_t>(text.size() + 1)};
  for (size_t n = 2; n <= text.size(); ++n) {
    uint32_t border = pattern.fail[n - 1];
    while (border > 0 && text[border] != text[n - 1]) {
      border = pattern.fail[border];
    }
    pattern.fail[n] = text[border] == text[n - 1] ? border + 1 : 0;
  }
  return pattern;
}

bool StopStrings::Step(Pattern* pattern, char byte) {
  uint32_t state = pattern->state;
  while (state > 0 && pattern->text[state] != byte) {
    state = pattern->fail[state];
  }
  if (pattern->text[state] == byte) ++state;
  pattern->state = state;
  return state == pattern->text.size();
}

size_t StopStrings::HeldBack() const {
  size_t held = IncompleteTail(pending_);
  for (const Pattern& pattern : patterns_) {
    held = std::max<size_t>(held, pattern.state);
  }
  return held;
}

std::string StopStrings::Add(std::string_view piece) {
  if (matched()) return "";
  for (const char byte : piece) {
    pending_.push_back(byte);
    for (size_t i = 0; i < patterns_.size(); ++i) {
      if (!Step(&patterns_[i], byte)) continue;
      const bool longer = matched_ < 0 || patterns_[i].text.size() >
                                              patterns_[matched_].text.size();
      if (longer) matched_ = static_cast<int>(i);
    }
    if (matched()) {
      pending_.resize(pending_.size() - patterns_[matched_].text.size());
      std::string out = std::move(pending_);
      pending_.clear();
      if (const size_t cut = IncompleteTail(out)) {
        out.replace(out.size() - cut, cut, kReplacement);
      }
      return out;
    }
  }
  const size_t ready = pending_.size() - HeldBack();
  std::string out = pending_.substr(0, ready);
  pending_.erase(0, ready);
  return out;
}

std::string StopStrings::Flush() {
  std::string out = std::move(pending_);
  pending_.clear();
  for (Pattern& pattern : patterns_) pattern.state = 0;
  if (matched()) return "";
  if (const size_t cut = IncompleteTail(out)) {
    out.replace(out.size() - cut, cut, kReplacement);
  }
  return out;
}

Result<StopRules> StopRules::Create(const std::vector<std::string>& strings,
                                    std::vector<int32_t> tokens,
                                    int64_t max_tokens) {
  StopRules rules;
  CARAT_ASSIGN_OR_RETURN(rules.strings_, StopStrings::Create(strings));
  std::sort(tokens.begin(), tokens.end());
  rules.tokens_ = std::move(tokens);
  rules.max_tokens_ = max_tokens;
  if (max_tokens == 0) rules.reason_ = StopReason::kMaxTokens;
  return rules;
}

bool StopRules::IsStopToken(int32_t token) const {
  return std::binary_search(tokens_.begin(), tokens_.end(), token);
}

std::string StopRules::Add(std::string_view text) {
  if (reason_ != StopReason::kNone) return "";
  ++count_;
  std::string out = strings_.Add(text);
  if (strings_.matched()) {
    reason_ = StopReason::kStopString;
  } else if (max_tokens_ >= 0 && count_ >= max_tokens_) {
    reason_ = StopReason::kMaxTokens;
  }
  return out;
}

std::string StopRules::FinishOnToken() {
  if (reason_ == StopReason::kNone) reason_ = StopReason::kStopToken;
  return Finish();
}

std::string StopRules::Finish(std::string_view tail) {
  std::string out = strings_.Add(tail);
  if (strings_.matched()) {
    reason_ = StopReason::kStopString;
    return out;
  }
  return out + strings_.Flush();
}

}  // namespace carat
