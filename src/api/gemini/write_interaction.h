// Events to the bodies of Google's Interactions API.
#ifndef CARAT_API_GEMINI_WRITE_INTERACTION_H_
#define CARAT_API_GEMINI_WRITE_INTERACTION_H_

#include <functional>
#include <string>

#include "api/answer.h"
#include "base/json.h"

namespace carat {

// {"error": {"code": "not_found", "message": "..."}}.
Json InteractionErrorBody(const Status& status);

struct InteractionOptions {
  std::string id;
  std::string model;
  std::string previous;
  bool stream = false;
  bool show_thoughts = false;
  // Told once the answer is complete: what the client gets to see, and every
  // step of the model, thoughts included.
  std::function<void(const Json& resource, const Json& steps)> done;
};

class InteractionWriter : public AnswerWriter {
 public:
  explicit InteractionWriter(InteractionOptions options);

  void Add(int choice, const GenerateEvent& event, std::string* out) override;
  void End(std::string* out) override;
  std::string KeepAlive() override;
  int Fail(const Status& status, std::string* body) override;

 private:
  // The step that deltas go to; opens one of `type` when another is open.
  Json* Step(const char* type, std::string* out);
  void CloseStep(std::string* out);
  void AddText(const char* type, const char* member, const std::string& text,
               std::string* out);
  void Finish(const Done& done, std::string* out);
  void Emit(const char* type, Json event, std::string* out);
  Json Resource(const char* status) const;
  bool Shown(const Json& step) const;

  InteractionOptions options_;
  std::string created_;
  Json steps_ = Json::MakeArray();  // all of them
  bool open_ = false;               // the last one
  int shown_ = 0;                   // steps that were started on the wire
  bool begun_ = false;
  int events_ = 0;
  Json resource_;  // once finished
};

}  // namespace carat

#endif  // CARAT_API_GEMINI_WRITE_INTERACTION_H_
