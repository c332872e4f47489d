#include "runtime/output_pipeline.h"

#include <fmt/format.h>

#include <utility>

namespace carat {

bool RepetitionDetector::Add(TokenId id) {
  if (last_.empty()) last_.assign(kMaxPeriod, -1);
  bool found = false;
  for (int period = 1; period <= kMaxPeriod; ++period) {
    int& run = run_[period];
    const bool same =
        count_ >= period && last_[(count_ - period) % kMaxPeriod] == id;
    run = same ? run + 1 : 0;
    found |= run >= kMinTokens && run >= kMinTimes * period;
  }
  last_[count_ % kMaxPeriod] = id;
  ++count_;
  return found;
}

Result<std::unique_ptr<OutputPipeline>> OutputPipeline::Create(
    const GenerateRequest& request, const Tokenizer* tokenizer,
    const Options& options, Emit emit) {
  CARAT_ASSIGN_OR_RETURN(
      StopRules stop,
      StopRules::Create(request.stop,
                        request.ignore_end ? std::vector<TokenId>{}
                                           : tokenizer->end_of_generation(),
                        request.max_tokens));
  std::unique_ptr<OutputPipeline> p(
      new OutputPipeline(std::move(stop), std::move(emit)));
  p->tokenizer_ = tokenizer;
  p->decoder_ = StreamDecoder(tokenizer);
  p->stop_strings_ = request.stop;
  p->call_id_prefix_ = options.call_id_prefix;
  p->watch_repetition_ = !request.ignore_end;
  if (options.format != nullptr) {
    p->parser_.emplace(tokenizer, *options.format, options.state,
                       request.tools);
  }
  return p;
}

bool OutputPipeline::in_thought() const {
  return parser_ && (parser_->where() == OutputParser::Where::kThought ||
                     parser_->where() == OutputParser::Where::kChannelName);
}

std::string OutputPipeline::stop_string() const {
  return stop_.matched_index() >= 0 ? stop_strings_[stop_.matched_index()]
                                    : std::string();
}

void OutputPipeline::EmitText(std::string text) {
  if (!text.empty()) emit_(TextDelta{std::move(text)});
}

void OutputPipeline::Deliver(std::vector<OutputEvent> events) {
  using Kind = OutputEvent::Kind;
  for (OutputEvent& e : events) {
    switch (e.kind) {
      case Kind::kThought:
        emit_(ThoughtDelta{std::move(e.text)});
        break;
      case Kind::kText:
        break;  // went through the stop rules
      case Kind::kCallStart:
        call_names_.resize(e.call + 1);
        call_names_[e.call] = e.text;
        emit_(ToolCallStart{.index = e.call,
                            .id = fmt::format("{}{}", call_id_prefix_, e.call),
                            .name = std::move(e.text)});
        break;
      case Kind::kCallArguments:
        emit_(ToolCallDelta{.index = e.call, .arguments = std::move(e.text)});
        break;
      case Kind::kCallEnd:
        emit_(ToolCallDone{
            .index = e.call,
            .call = {.id = fmt::format("{}{}", call_id_prefix_, e.call),
                     .name = call_names_[e.call],
                     .arguments = std::move(e.text)}});
        break;
      case Kind::kCallDropped:
        break;  // the finish reason says that the output was cut
      case Kind::kCallError:
        error_ = fmt::format(
            "the model wrote a tool call that cannot be "
            "read: {}",
            e.text);
        break;
    }
  }
}

void OutputPipeline::Add(TokenId id) {
  std::string text;
  if (parser_) {
    const bool thought_before = in_thought();
    std::vector<OutputEvent> events;
    parser_->Add(id, &events);
    if (thought_before || in_thought()) ++thought_tokens_;
    for (const OutputEvent& e : events) {
      if (e.kind == OutputEvent::Kind::kText) text += e.text;
    }
    EmitText(stop_.Add(text));
    if (stop_.reason() != StopReason::kStopString) Deliver(std::move(events));
  } else {
    EmitText(stop_.Add(decoder_.Add(id)));
  }
  if (stop_.reason() == StopReason::kStopString) {
    return Finish(FinishReason::kStopString);
  }
  if (stop_.reason() == StopReason::kMaxTokens) {
    return Cut(FinishReason::kMaxTokens);
  }
  if (watch_repetition_ && repetition_.Add(id)) {
    Cut(FinishReason::kRepetition);
  }
}

void OutputPipeline::EndParser(OutputParser::Cut cut) {
  std::vector<OutputEvent> events;
  const OutputFinish finish = parser_->Finish(cut, &events);
  std::string tail;
  for (const OutputEvent& e : events) {
    if (e.kind == OutputEvent::Kind::kText) tail += e.text;
  }
  EmitText(stop_.Finish(tail));
  Deliver(std::move(events));
  if (cut == OutputParser::Cut::kYes) return;
  if (stop_.reason() == StopReason::kStopString) {
    return Finish(FinishReason::kStopString);
  }
  switch (finish) {
    case OutputFinish::kToolCalls:
      return Finish(FinishReason::kToolCalls);
    case OutputFinish::kMalformedCall:
      return Finish(FinishReason::kMalformedCall);
    default:
      return Finish(FinishReason::kStop);
  }
}

void OutputPipeline::AddEnd(TokenId id) {
  if (!parser_) {
    EmitText(stop_.FinishOnToken());
    return Finish(FinishReason::kStop);
  }
  std::vector<OutputEvent> events;
  parser_->Add(id, &events);
  std::string text;
  for (const OutputEvent& e : events) {
    if (e.kind == OutputEvent::Kind::kText) text += e.text;
  }
  if (!text.empty()) EmitText(stop_.Add(text));
  Deliver(std::move(events));
  EndParser(OutputParser::Cut::kNo);
}

void OutputPipeline::Cut(FinishReason reason) {
  if (finished_) return;
  if (parser_) {
    EndParser(OutputParser::Cut::kYes);
  } else {
    EmitText(stop_.Finish(decoder_.Flush()));
  }
  Finish(reason);
}

void OutputPipeline::Finish(FinishReason reason) {
  if (!finished_) finished_ = reason;
}

}  // namespace carat
