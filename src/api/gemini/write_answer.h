// Events to Gemini's bodies: one object, server-sent events, or a JSON array
// that grows.
#ifndef CARAT_API_GEMINI_WRITE_ANSWER_H_
#define CARAT_API_GEMINI_WRITE_ANSWER_H_

#include <string>
#include <vector>

#include "api/answer.h"
#include "api/collected.h"
#include "base/json.h"

namespace carat {

enum class GeminiBody { kWhole, kEvents, kArray };

struct GeminiAnswerOptions {
  GeminiBody body = GeminiBody::kWhole;
  int candidates = 1;
  bool include_thoughts = false;
  bool logprobs = false;
  bool top_logprobs = false;
  std::string model;
};

// Official clients drop a whole turn from their history when a chunk has no
// candidate or no part, and fail on anything but "data:" lines: every chunk
// carries a candidate with a part, an empty text if there is nothing to say.
class GeminiWriter : public AnswerWriter {
 public:
  GeminiWriter(GeminiAnswerOptions options, const Tokenizer* tokenizer);

  void Add(int choice, const GenerateEvent& event, std::string* out) override;
  void End(std::string* out) override;
  std::string KeepAlive() override;
  Status FailureIn(const Done& done) const override;
  int Fail(const Status& status, std::string* body) override;

 private:
  struct Candidate {
    Json parts = Json::MakeArray();  // of a whole answer
    std::vector<TokenProbability> probabilities;
    TextProbabilities sorter;
    Done done;
    bool finished = false;
  };

  Json PartOf(const GenerateEvent& event) const;
  Json CandidateJson(int choice, Json parts, const Candidate& from) const;
  Json LogprobsJson(const std::vector<TokenProbability>& tokens) const;
  Json Envelope(Json candidates) const;
  Json UsageJson() const;
  void Send(Json body, std::string* out);

  GeminiAnswerOptions options_;
  const Tokenizer* tokenizer_;
  std::string id_;
  std::vector<Candidate> candidates_;
  bool sent_any_ = false;
};

// "STOP" and so on.
const char* GeminiFinishReason(FinishReason reason);

}  // namespace carat

#endif  // CARAT_API_GEMINI_WRITE_ANSWER_H_
