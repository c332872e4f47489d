#include "chat/output_parser.h"

#include <algorithm>

#include "chat/python_text.h"

namespace carat {
namespace {

TokenId IdOf(const Tokenizer& tokenizer, std::string_view piece) {
  if (piece.empty()) return -1;
  return tokenizer.Find(piece).value_or(-1);
}

bool Among(const std::vector<TokenId>& sorted, TokenId id) {
  return std::binary_search(sorted.begin(), sorted.end(), id);
}

void SortIds(std::vector<TokenId>* ids) {
  std::erase(*ids, -1);
  std::sort(ids->begin(), ids->end());
}

std::string_view RightStripped(std::string_view text) {
  const std::string_view stripped = PythonStrip(text);
  if (stripped.empty()) return {};
  return text.substr(
      0, static_cast<size_t>(stripped.data() + stripped.size() - text.data()));
}

// Appends to the last part of `message` when it is a T, else adds one.
template <typename T>
void AppendPart(std::string_view text, Message* message) {
  if (message->parts.empty() ||
      !std::holds_alternative<T>(message->parts.back())) {
    message->parts.emplace_back(T{});
  }
  std::get<T>(message->parts.back()).text += text;
}

}  // namespace

std::string StripStream::Add(std::string_view text) {
  if (trim_ == AnswerTrim::kNone) {
    given_ += text;
    return std::string(text);
  }
  if (trim_ == AnswerTrim::kBothEnds && !started_) {
    while (const size_t size = PythonSpaceSize(text)) text.remove_prefix(size);
  }
  if (text.empty()) return "";
  started_ = true;
  size_t keep = 0;  // bytes of trailing whitespace
  if (trim_ == AnswerTrim::kFinalNewline) {
    keep = text.back() == '\n' ? 1 : 0;
  } else {
    keep = text.size() - RightStripped(text).size();
    if (keep == text.size()) {
      held_ += text;
      return "";
    }
  }
  std::string out = held_;
  out += text.substr(0, text.size() - keep);
  held_ = text.substr(text.size() - keep);
  given_ += out;
  return out;
}

void StripStream::Restart() {
  started_ = false;
  held_.clear();
}

OutputParser::OutputParser(const Tokenizer* tokenizer, const ChatFormat& format,
                           OutputState state,
                           const std::vector<ToolDeclaration>& tools)
    : tokenizer_(tokenizer),
      syntax_(format.syntax()),
      marks_{syntax_.quote, syntax_.call_close},
      tools_(tools),
      decoder_(tokenizer),
      where_(state == OutputState::kThought ? Where::kThought
                                            : Where::kContent),
      content_(syntax_.trim),
      thought_(AnswerTrim::kBothEnds) {
  message_.role = Role::kAssistant;
  ids_ = {.thought_open = IdOf(*tokenizer, syntax_.thought_open),
          .thought_close = IdOf(*tokenizer, syntax_.thought_close),
          .call_open = IdOf(*tokenizer, syntax_.call_open),
          .call_close = IdOf(*tokenizer, syntax_.call_close),
          .quote = IdOf(*tokenizer, syntax_.quote),
          .result_open = IdOf(*tokenizer, syntax_.result_open),
          .turn_end = IdOf(*tokenizer, syntax_.turn_end)};
  for (const std::string_view piece : syntax_.reserved) {
    silent_.push_back(IdOf(*tokenizer, piece));
  }
  for (const std::string_view piece : syntax_.suppressed) {
    silent_.push_back(IdOf(*tokenizer, piece));
  }
  silent_.push_back(ids_.thought_open);
  silent_.push_back(ids_.thought_close);
  SortIds(&silent_);
  ends_ = tokenizer->end_of_generation();
  ends_.push_back(tokenizer->eos());
  ends_.push_back(ids_.turn_end);
  ends_.push_back(ids_.result_open);
  SortIds(&ends_);
}

bool OutputParser::IsEnd(TokenId id) const { return Among(ends_, id); }

// Tokens that are no text: what the file or the format calls control, and
// vocabulary entries without a meaning.
bool OutputParser::IsSilent(TokenId id) const {
  if (id < 0 || id >= tokenizer_->vocab_size()) return true;
  if (Among(silent_, id)) return true;
  switch (tokenizer_->Kind(id)) {
    case TokenKind::kControl:
    case TokenKind::kUnused:
    case TokenKind::kUnknown:
      return true;
    default:
      return tokenizer_->Piece(id).substr(0, 7) == "<unused";
  }
}

void OutputParser::Add(TokenId id, std::vector<OutputEvent>* events) {
  if (ended()) return;
  if (IsEnd(id)) {
    FlushDecoder(events);
    EndTurn(events);
    return;
  }
  if (IsSilent(id)) {
    FlushDecoder(events);
    where_ == Where::kCall ? ControlInCall(id, events) : Control(id, events);
    return;
  }
  const std::string text = decoder_.Add(id);
  if (!text.empty()) Plain(text, events);
}

void OutputParser::FlushDecoder(Events* events) {
  const std::string rest = decoder_.Flush();
  if (!rest.empty()) Plain(rest, events);
}

void OutputParser::Plain(const std::string& text, Events* events) {
  switch (where_) {
    case Where::kContent:
      Content(text, events);
      return;
    case Where::kChannelName:
      ChannelName(text, events);
      return;
    case Where::kThought:
      EmitThought(text, events);
      return;
    case Where::kCall:
      AddToCall(text, events);
      return;
    case Where::kEnded:
      return;
  }
}

void OutputParser::Control(TokenId id, Events* events) {
  if (id == ids_.thought_open) {
    if (syntax_.thought_only_first && anything_) return;
    ReleaseHeld(events);
    if (where_ == Where::kChannelName) LeaveChannelName(events);
    where_ = Where::kChannelName;
    channel_name_.clear();
  } else if (id == ids_.thought_close) {
    if (where_ == Where::kContent) return;
    if (where_ == Where::kChannelName) LeaveChannelName(events);
    where_ = Where::kContent;
  } else if (id == ids_.call_open) {
    ReleaseHeld(events);
    if (where_ == Where::kChannelName) LeaveChannelName(events);
    OpenCall();
  } else if (where_ == Where::kContent && holding_call_) {
    if (id == ids_.quote) held_ += kQuoteMark;
    if (id == ids_.call_close) PromoteHeld(events);
  }
}

void OutputParser::ControlInCall(TokenId id, Events* events) {
  if (id == ids_.quote) {
    in_string_ = !in_string_;
    AddToCall(std::string_view(&kQuoteMark, 1), events);
  } else if (id == ids_.call_close) {
    if (in_string_) {
      AddToCall(std::string_view(&kCloseMark, 1), events);
    } else {
      FinishCall(events);
    }
  } else if (id == ids_.call_open &&
             (!in_string_ || call_text_.ends_with(kCloseMark))) {
    // The call before was not closed, or its last string was not.
    FinishCall(events);
    OpenCall();
  } else if (in_string_) {
    AddToCall(tokenizer_->Piece(id), events);
  }
}

// Waits until the channel's name is known: "thought" opens a thought, anything
// else was no channel but text.
void OutputParser::ChannelName(const std::string& text, Events* events) {
  channel_name_ += text;
  const std::string_view name = syntax_.thought_name;
  const std::string_view have = channel_name_;
  if (have.substr(0, name.size()) == name) {
    const std::string rest(have.substr(name.size()));
    EnterThought();
    EmitThought(rest, events);
  } else if (name.substr(0, have.size()) != have) {
    LeaveChannelName(events);
  }
}

void OutputParser::EnterThought() {
  where_ = Where::kThought;
  thought_before_ = !thought_.given().empty();
  thought_.Restart();
  channel_name_.clear();
}

void OutputParser::LeaveChannelName(Events* events) {
  where_ = Where::kContent;
  std::string text;
  text.swap(channel_name_);
  if (!text.empty()) Content(text, events);
}

void OutputParser::EmitThought(std::string_view text, Events* events) {
  std::string out = thought_.Add(text);
  if (out.empty()) return;
  if (thought_before_) out.insert(0, "\n");
  thought_before_ = false;
  anything_ = true;
  AppendPart<Thought>(out, &message_);
  events->push_back({OutputEvent::Kind::kThought, -1, std::move(out)});
}

void OutputParser::EmitText(std::string_view text, Events* events) {
  std::string out = content_.Add(text);
  if (out.empty()) return;
  anything_ = true;
  AppendPart<Text>(out, &message_);
  events->push_back({OutputEvent::Kind::kText, -1, std::move(out)});
}

void OutputParser::Content(std::string_view text, Events* events) {
  if (tools_.empty() || syntax_.call_close.empty()) {
    EmitText(text, events);
    return;
  }
  held_ += text;
  if (holding_call_) return;
  // From where on might held_ be "call:NAME{" of a declared tool?
  constexpr std::string_view kCall = "call:";
  const std::string_view held = held_;
  for (size_t at = 0; (at = held.find('c', at)) != held.npos; ++at) {
    if (at > 0 && PythonSpaceSize(held.substr(at - 1)) == 0) continue;
    if (at == 0 && !content_.given().empty() && !content_.holds_space()) {
      continue;
    }
    const std::string_view rest = held.substr(at);
    for (const std::string_view name : tools_.names()) {
      const std::string whole = std::string(kCall) + std::string(name) + "{";
      const bool all = rest.substr(0, whole.size()) == whole;
      if (!all && std::string_view(whole).substr(0, rest.size()) != rest) {
        continue;
      }
      holding_call_ = all;
      EmitText(held.substr(0, at), events);
      held_.erase(0, at);
      return;
    }
  }
  ReleaseHeld(events);
}

void OutputParser::ReleaseHeld(Events* events) {
  std::string text;
  text.swap(held_);
  holding_call_ = false;
  std::erase(text, kQuoteMark);
  if (!text.empty()) EmitText(text, events);
}

// The closing token has come: what was held is a call after all.
void OutputParser::PromoteHeld(Events* events) {
  if (!ParseCall(held_, tools_, marks_).ok()) {
    ReleaseHeld(events);
    return;
  }
  std::string text;
  text.swap(held_);
  holding_call_ = false;
  OpenCall();
  AddToCall(text, events);
  FinishCall(events);
}

void OutputParser::OpenCall() {
  where_ = Where::kCall;
  in_string_ = false;
  call_text_.clear();
  header_ = {};
  stream_.reset();
}

void OutputParser::AddToCall(std::string_view text, Events* events) {
  call_text_ += text;
  if (header_.name.empty()) {
    if (call_text_.find('{') == call_text_.npos) return;
    header_ = ReadCallHeader(call_text_, tools_);
    if (header_.name.empty()) return;
    const int index = calls_begun_++;
    events->push_back({OutputEvent::Kind::kCallStart, index, header_.name});
    stream_ =
        std::make_unique<ArgumentStream>(tools_.Find(header_.name), marks_);
  }
  std::string more = stream_->Feed(
      std::string_view(call_text_).substr(header_.arguments_at + 1));
  if (more.empty()) return;
  events->push_back(
      {OutputEvent::Kind::kCallArguments, calls_begun_ - 1, std::move(more)});
}

void OutputParser::FinishCall(Events* events) {
  where_ = Where::kContent;
  anything_ = true;
  Result<ParsedCall> call = ParseCall(call_text_, tools_, marks_);
  const std::string given = stream_ == nullptr ? "" : stream_->given();
  std::string json = call.ok() ? call->arguments.Dump() : "";
  const bool begun = !header_.name.empty();
  // A repair that contradicts what was already given out is no repair.
  if (!call.ok() || json.compare(0, given.size(), given) != 0 ||
      (begun && call->name != header_.name)) {
    if (!begun) ++calls_begun_;
    ++calls_failed_;
    events->push_back({OutputEvent::Kind::kCallError, calls_begun_ - 1,
                       SpellMarks(call_text_, marks_)});
    return;
  }
  if (!begun) {
    events->push_back(
        {OutputEvent::Kind::kCallStart, calls_begun_++, call->name});
  }
  const int index = calls_begun_ - 1;
  if (json.size() > given.size()) {
    events->push_back(
        {OutputEvent::Kind::kCallArguments, index, json.substr(given.size())});
  }
  message_.parts.emplace_back(ToolCall{"", call->name, json});
  events->push_back({OutputEvent::Kind::kCallEnd, index, std::move(json)});
}

void OutputParser::EndTurn(Events* events) {
  if (where_ == Where::kCall) FinishCall(events);
  if (where_ == Where::kChannelName) LeaveChannelName(events);
  ReleaseHeld(events);
  where_ = Where::kEnded;
}

OutputFinish OutputParser::Finish(Cut cut, std::vector<OutputEvent>* events) {
  const bool was_ended = ended();
  if (!was_ended) {
    FlushDecoder(events);
    if (where_ == Where::kCall && cut == Cut::kYes) {
      if (!header_.name.empty()) {
        events->push_back(
            {OutputEvent::Kind::kCallDropped, calls_begun_ - 1, ""});
      }
      where_ = Where::kContent;
    }
    EndTurn(events);
  }
  if (!was_ended && cut == Cut::kYes) return OutputFinish::kLength;
  if (message_.has_tool_calls()) return OutputFinish::kToolCalls;
  return calls_failed_ > 0 ? OutputFinish::kMalformedCall : OutputFinish::kStop;
}

}  // namespace carat
