// The arguments of a call as JSON text while they are still being written.
// What is given out is always a prefix of the final JSON: the text of a string
// as it comes, every other value once it is complete. As soon as the input
// leaves the strict notation nothing more is given out before the end.
#ifndef CARAT_CHAT_ARGUMENT_STREAM_H_
#define CARAT_CHAT_ARGUMENT_STREAM_H_

#include <string>
#include <string_view>

#include "chat/call_parser.h"

namespace carat {

class ArgumentStream {
 public:
  // `schema`: the declared parameters, or null. Outlives the stream.
  ArgumentStream(const ExactJson* schema, CallMarks marks)
      : schema_(schema), marks_(marks) {}

  // `text`: everything behind the opening brace so far; grows from call to
  // call. Returns the JSON text that became certain.
  std::string Feed(std::string_view text);

  // Everything given out.
  const std::string& given() const { return given_; }

 private:
  enum class Where { kKey, kValue, kString, kOther, kAfter, kOff };

  bool Step(std::string_view text);  // false: needs more text
  bool Key(std::string_view text);
  bool Value(std::string_view text);
  bool String(std::string_view text);
  bool Other(std::string_view text);
  bool After(std::string_view text);
  bool SkipSpace(std::string_view text);
  // The JSON before the value of key_.
  void GiveKey();

  const ExactJson* schema_;
  CallMarks marks_;
  Where where_ = Where::kKey;
  size_t at_ = 0;        // what of the text is dealt with
  size_t scan_ = 0;      // kOther: how far the end was looked for
  int depth_ = 0;        // kOther: open brackets at scan_
  bool quoted_ = false;  // kOther: inside a string at scan_
  std::string key_;
  ExactJson keys_ = ExactJson::Object();  // keys given out
  std::string given_ = "";
};

}  // namespace carat

#endif  // CARAT_CHAT_ARGUMENT_STREAM_H_
