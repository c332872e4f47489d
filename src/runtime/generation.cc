#include "runtime/generation.h"

#include <utility>

namespace carat {
namespace {

double Milliseconds(Generation::Clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace

Result<std::unique_ptr<Generation>> Generation::Create(
    const GenerateRequest& request, std::vector<TokenId> prompt,
    const Tokenizer* tokenizer, int vocab,
    const std::vector<int32_t>& suppress, int64_t context_tokens,
    std::shared_ptr<EventQueue> events) {
  CARAT_ASSIGN_OR_RETURN(Sampler sampler,
                         Sampler::Create(request.sampling, vocab, suppress));
  sampler.AddPrompt(prompt);
  CARAT_ASSIGN_OR_RETURN(
      StopRules stop,
      StopRules::Create(request.stop,
                        request.ignore_end ? std::vector<TokenId>{}
                                           : tokenizer->end_of_generation(),
                        request.max_tokens));
  std::unique_ptr<Generation> g(
      new Generation(std::move(sampler), std::move(stop)));
  g->tokenizer_ = tokenizer;
  g->events_ = std::move(events);
  g->prompt_tokens_ = static_cast<int64_t>(prompt.size());
  g->tokens_ = std::move(prompt);
  g->context_tokens_ = context_tokens;
  g->wants_probabilities_ = request.sampling.logprobs.has_value();
  g->decoder_.emplace(tokenizer);
  g->stop_strings_ = request.stop;
  g->submitted_ = Clock::now();
  return g;
}

void Generation::Start(int64_t cached_tokens) {
  if (started_ != Clock::time_point{}) return;  // resumed
  cached_tokens_ = cached_tokens;
  started_ = Clock::now();
}

bool Generation::Advance(int64_t rows) {
  kv->Advance(rows);
  if (prompt_read_ || done() < prompt_tokens_) return false;
  prompt_read_ = true;
  Emit(PromptDone{.prompt_tokens = prompt_tokens_,
                  .cached_tokens = cached_tokens_});
  return true;
}

void Generation::EmitText(std::string text) {
  if (!text.empty()) Emit(TextDelta{std::move(text)});
}

void Generation::Step(std::span<float> logits) {
  Result<SampledToken> sampled = sampler_.Sample(logits);
  if (!sampled.ok()) {
    return Finish(FinishReason::kError, sampled.status().message());
  }
  const TokenId id = sampled->id;
  if (!has_first_token_) {
    has_first_token_ = true;
    first_token_ = Clock::now();
  }
  if (stop_.IsStopToken(id)) {
    EmitText(stop_.FinishOnToken());
    return Finish(FinishReason::kStop);
  }
  sampler_.Accept(id);
  tokens_.push_back(id);
  if (wants_probabilities_) {
    TokenProbability p{.id = id,
                       .text = std::string(tokenizer_->Bytes(id)),
                       .logprob = sampled->logprob,
                       .top = {}};
    for (const TokenLogprob& t : sampled->top) {
      p.top.emplace_back(t.id, t.logprob);
    }
    Emit(std::move(p));
  }
  EmitText(stop_.Add(decoder_->Add(id)));
  if (stop_.reason() == StopReason::kStopString) {
    return Finish(FinishReason::kStopString);
  }
  if (stop_.reason() == StopReason::kMaxTokens) {
    return Finish(FinishReason::kMaxTokens);
  }
  if (static_cast<int64_t>(tokens_.size()) >= context_tokens_) {
    return Finish(FinishReason::kContextFull);
  }
}

void Generation::Finish(FinishReason reason, std::string error) {
  if (finished_) return;
  finished_ = true;
  if (reason != FinishReason::kStop && reason != FinishReason::kStopString) {
    EmitText(stop_.Finish(decoder_->Flush()));
  }
  const Clock::time_point now = Clock::now();
  Done done;
  done.reason = reason;
  done.error = std::move(error);
  if (stop_.matched_index() >= 0) {
    done.stop_string = stop_strings_[stop_.matched_index()];
  }
  done.usage.prompt_tokens = prompt_tokens_;
  done.usage.cached_tokens = cached_tokens_;
  done.usage.output_tokens =
      static_cast<int64_t>(tokens_.size()) - prompt_tokens_;
  done.seed = sampler_.seed();
  if (started_ != Clock::time_point{}) {
    done.timings.queue_ms = Milliseconds(started_ - submitted_);
    if (has_first_token_) {
      done.timings.prefill_ms = Milliseconds(first_token_ - started_);
      done.timings.first_token_ms = Milliseconds(first_token_ - submitted_);
      done.timings.decode_ms = Milliseconds(now - first_token_);
    }
  }
  Emit(std::move(done));
}

}  // namespace carat
