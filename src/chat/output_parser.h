// What a model generates, token by token, as thoughts, text and tool calls.
// Works on token ids: a control token is one because of its id, so the same
// characters in ordinary text change nothing, and no control text ever comes
// out. Starts in the state the prompt left open. One parser a generation; not
// shared between threads.
#ifndef CARAT_CHAT_OUTPUT_PARSER_H_
#define CARAT_CHAT_OUTPUT_PARSER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "carat/message.h"
#include "chat/argument_stream.h"
#include "chat/call_parser.h"
#include "chat/chat_format.h"
#include "tokenizer/tokenizer.h"

namespace carat {

struct OutputEvent {
  enum class Kind {
    kThought,        // text: more of the thought
    kText,           // text: more of the answer
    kCallStart,      // call, text: the function's name
    kCallArguments,  // call, text: more of the arguments' JSON
    kCallEnd,        // call, text: all of the arguments' JSON
    kCallDropped,    // call: the output ended inside it (length limit)
    kCallError,      // call, text: a call that cannot be read, as written
  };
  Kind kind = Kind::kText;
  int call = -1;  // index of the call, 0 first
  std::string text;
  bool operator==(const OutputEvent&) const = default;
};

enum class OutputFinish {
  kStop,           // the model ended its turn
  kToolCalls,      // it wants tools run
  kMalformedCall,  // no call could be read, but one was tried
  kLength,         // it was cut off
};

// Text of one kind with its ends stripped while it streams: leading
// whitespace is dropped, trailing whitespace waits for more text.
class StripStream {
 public:
  explicit StripStream(AnswerTrim trim) : trim_(trim) {}
  // What of `text` may be given out now.
  std::string Add(std::string_view text);
  // Forgets held whitespace; leading whitespace is dropped again.
  void Restart();
  const std::string& given() const { return given_; }
  bool holds_space() const { return !held_.empty(); }

 private:
  AnswerTrim trim_;
  bool started_ = false;
  std::string held_;
  std::string given_;
};

class OutputParser {
 public:
  enum class Where { kContent, kChannelName, kThought, kCall, kEnded };

  // `tokenizer` and `format` outlive the parser.
  OutputParser(const Tokenizer* tokenizer, const ChatFormat& format,
               OutputState state, const std::vector<ToolDeclaration>& tools);

  // One generated token; appends what it made certain.
  void Add(TokenId id, std::vector<OutputEvent>* events);

  // No more tokens come. `cut`: the output was ended from outside (length
  // limit, stop string, cancellation) and not by the model.
  enum class Cut { kNo, kYes };
  OutputFinish Finish(Cut cut, std::vector<OutputEvent>* events);

  Where where() const { return where_; }
  // Whether a token ended the turn; later tokens are ignored.
  bool ended() const { return where_ == Where::kEnded; }
  // All of it so far: thought, text and finished calls, in order. Calls have
  // no ids: the model writes none.
  const Message& message() const { return message_; }

 private:
  struct Ids {
    TokenId thought_open = -1, thought_close = -1, call_open = -1,
            call_close = -1, quote = -1, result_open = -1, turn_end = -1;
  };
  using Events = std::vector<OutputEvent>;

  bool IsEnd(TokenId id) const;
  bool IsSilent(TokenId id) const;
  void Control(TokenId id, Events* events);
  void ControlInCall(TokenId id, Events* events);
  void Plain(const std::string& text, Events* events);
  void ChannelName(const std::string& text, Events* events);
  void FlushDecoder(Events* events);

  void Content(std::string_view text, Events* events);
  void ReleaseHeld(Events* events);
  void PromoteHeld(Events* events);
  void EmitText(std::string_view text, Events* events);
  void EmitThought(std::string_view text, Events* events);
  void LeaveChannelName(Events* events);
  void EnterThought();

  void OpenCall();
  void AddToCall(std::string_view text, Events* events);
  void FinishCall(Events* events);
  void EndTurn(Events* events);

  const Tokenizer* tokenizer_;
  const ChatSyntax syntax_;
  CallMarks marks_;
  DeclaredTools tools_;
  Ids ids_;
  std::vector<TokenId> silent_;  // sorted: control tokens by the format's word
  std::vector<TokenId> ends_;    // sorted
  StreamDecoder decoder_;
  Where where_;
  bool anything_ = false;  // something came out already

  StripStream content_;
  StripStream thought_;
  bool thought_before_ = false;  // an earlier block had text
  std::string channel_name_;
  // Content that looks like the start of a call whose opening token the model
  // left out; decided when the closing token comes or the output ends.
  std::string held_;
  bool holding_call_ = false;

  int calls_begun_ = 0;
  int calls_failed_ = 0;
  bool in_string_ = false;
  std::string call_text_;
  CallHeader header_;
  std::unique_ptr<ArgumentStream> stream_;
  Message message_;
};

}  // namespace carat

#endif  // CARAT_CHAT_OUTPUT_PARSER_H_
