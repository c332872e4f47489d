#include "runtime/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace carat {
namespace {

double Milliseconds(Generation::Clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

// The thought's own limit: what was asked for, and never so much that the
// answer has less than a quarter of all tokens.
int64_t ThoughtBudget(const GenerateRequest& request) {
  int64_t budget = request.max_thought_tokens;
  if (request.max_tokens >= 0) {
    const int64_t leaves = request.max_tokens - request.max_tokens / 4;
    budget = budget < 0 ? leaves : std::min(budget, leaves);
  }
  return budget;
}

}  // namespace

Result<std::unique_ptr<Generation>> Generation::Create(
    const GenerateRequest& request, GenerationSetup setup) {
  if (!(request.deadline_s >= 0)) {
    return InvalidArgument(
        fmt::format("a deadline of {} seconds makes no sense; give a positive "
                    "number, or 0 for none",
                    request.deadline_s));
  }
  if (request.prompt_logprobs && !request.sampling.logprobs) {
    return InvalidArgument(
        "probabilities of the prompt need a number of log-probabilities");
  }
  CARAT_ASSIGN_OR_RETURN(
      Sampler sampler,
      Sampler::Create(request.sampling, setup.vocab, setup.suppress));
  sampler.AddPrompt(setup.prompt);
  std::unique_ptr<Generation> g(new Generation(std::move(sampler)));
  g->tokenizer_ = setup.tokenizer;
  g->events_ = std::move(setup.events);
  g->prompt_tokens_ = static_cast<int64_t>(setup.prompt.size());
  g->tokens_ = std::move(setup.prompt);
  g->context_tokens_ = setup.context_tokens;
  g->wants_probabilities_ = request.sampling.logprobs.has_value();
  g->max_tokens_ = request.max_tokens;
  g->score_prompt_ = request.prompt_logprobs;
  if (g->score_prompt_) {
    g->prompt_probabilities_.push_back(
        g->Probability({.id = g->tokens_.front()}));
  }
  g->grammar_ = std::move(setup.grammar);
  g->submitted_ = Clock::now();
  g->caller_ = request.caller;
  // A year is no deadline, and adding more might overflow the clock.
  if (request.deadline_s > 0 && request.deadline_s < 365 * 86400.0) {
    g->deadline_ =
        g->submitted_ + std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double>(request.deadline_s));
  }
  if (setup.format != nullptr) {
    const std::string_view close = setup.format->syntax().thought_close;
    if (!close.empty()) {
      g->thought_close_ = setup.tokenizer->Find(close).value_or(-1);
    }
    g->max_thought_tokens_ = ThoughtBudget(request);
  }
  EventQueue* events = g->events_.get();
  CARAT_ASSIGN_OR_RETURN(
      g->output_,
      OutputPipeline::Create(
          request, setup.tokenizer,
          {.format = setup.format,
           .state = setup.state,
           .call_id_prefix = fmt::format(
               "call_{:08x}_", static_cast<uint32_t>(
                                   g->sampler_.seed() ^
                                   g->submitted_.time_since_epoch().count()))},
          [events](GenerateEvent event) { events->Push(std::move(event)); }));
  return g;
}

void Generation::Start(int64_t cached_tokens) {
  if (started()) return;  // resumed
  cached_tokens_ = cached_tokens;
  started_ = Clock::now();
}

void Generation::CatchUp(KvSequence longer) {
  if (!prompt_read_) cached_tokens_ += longer.length() - done();
  kv = std::move(longer);
}

bool Generation::Advance(int64_t rows) {
  kv->Advance(rows);
  if (prompt_read_ || done() < prompt_tokens_) return false;
  prompt_read_ = true;
  events_->Push(PromptDone{.prompt_tokens = prompt_tokens_,
                           .cached_tokens = cached_tokens_,
                           .probabilities = std::move(prompt_probabilities_)});
  return true;
}

TokenProbability Generation::Probability(const SampledToken& token) const {
  TokenProbability p{.id = token.id,
                     .text = std::string(tokenizer_->Bytes(token.id)),
                     .logprob = token.logprob,
                     .top = {}};
  for (const TokenLogprob& t : token.top) p.top.emplace_back(t.id, t.logprob);
  return p;
}

void Generation::Score(int64_t position, std::span<const float> logits) {
  const int64_t next = position + 1;
  // A prompt whose cache was taken away is read again from its front.
  if (finished_ || next >= prompt_tokens_ ||
      next != static_cast<int64_t>(prompt_probabilities_.size())) {
    return;
  }
  const Result<SampledToken> scored = sampler_.Score(logits, tokens_[next]);
  if (!scored.ok()) {
    return Finish(FinishReason::kError, scored.status().message());
  }
  prompt_probabilities_.push_back(Probability(*scored));
}

TokenId Generation::Overruled() const {
  const bool over = max_thought_tokens_ >= 0 && thought_close_ >= 0 &&
                    output_->in_thought() &&
                    output_->thought_tokens() >= max_thought_tokens_;
  return over ? thought_close_ : -1;
}

Result<SampledToken> Generation::Choose(std::span<float> logits) {
  if (!grammar_ || grammar_->IsUnconstrained()) return sampler_.Sample(logits);
  mask_.resize((logits.size() + 63) / 64);
  grammar_->Mask(mask_);
  return sampler_.Sample(logits, mask_);
}

void Generation::Step(std::span<float> logits) {
  if (max_tokens_ == 0) return Finish(FinishReason::kMaxTokens);
  SampledToken token;
  token.id = Overruled();
  const bool overruled = token.id >= 0;
  if (!overruled) {
    Result<SampledToken> sampled = Choose(logits);
    if (!sampled.ok()) {
      return Finish(FinishReason::kError, sampled.status().message());
    }
    token = std::move(sampled).value();
  }
  if (!has_first_token_) {
    has_first_token_ = true;
    first_token_ = Clock::now();
  }
  if (output_->IsEnd(token.id)) {
    output_->AddEnd(token.id);
    return Finish(*output_->finished(), output_->error());
  }
  if (wants_probabilities_) events_->Push(Probability(token));
  if (Append(token.id)) AppendForced();
}

bool Generation::Append(TokenId id) {
  sampler_.Accept(id);
  tokens_.push_back(id);
  if (grammar_ && !grammar_->Accept(id)) {
    Finish(FinishReason::kError,
           fmt::format("token {} left the grammar of the request", id));
    return false;
  }
  output_->Add(id);
  if (output_->finished()) {
    Finish(*output_->finished(), output_->error());
  } else if (static_cast<int64_t>(tokens_.size()) >= context_tokens_) {
    Finish(FinishReason::kContextFull);
  }
  return !finished_;
}

void Generation::AppendForced() {
  // Tokens without a choice need no logits: they join the next step's rows.
  // With probabilities asked for, every token is sampled and reported.
  if (!grammar_ || wants_probabilities_ || grammar_->IsUnconstrained()) return;
  for (TokenId id : grammar_->ForcedTokens()) {
    if (output_->IsEnd(id) || !Append(id)) return;
  }
}

void Generation::Finish(FinishReason reason, std::string error) {
  if (finished_) return;
  finished_ = true;
  output_->Cut(reason);  // emits what was held back, unless it ended itself
  const Clock::time_point now = Clock::now();
  Done done;
  done.reason = *output_->finished();
  done.error = std::move(error);
  done.stop_string = output_->stop_string();
  done.usage = {
      .prompt_tokens = prompt_tokens_,
      .cached_tokens = cached_tokens_,
      .output_tokens = static_cast<int64_t>(tokens_.size()) - prompt_tokens_,
      .thought_tokens = output_->thought_tokens()};
  done.seed = sampler_.seed();
  if (started()) {
    done.timings.queue_ms = Milliseconds(started_ - submitted_);
    if (has_first_token_) {
      done.timings.prefill_ms = Milliseconds(first_token_ - started_);
      done.timings.first_token_ms = Milliseconds(first_token_ - submitted_);
      done.timings.decode_ms = Milliseconds(now - first_token_);
    }
  }
  reason_ = done.reason;
  timings_ = done.timings;
  events_->Push(std::move(done));
}

}  // namespace carat
