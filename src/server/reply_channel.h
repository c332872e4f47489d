// One answer on its way from a handler's thread to the I/O thread. The handler
// writes through HttpReply and blocks while the client reads slowly; the I/O
// thread takes framed bytes. Shared by both; every method is thread-safe.
#ifndef CARAT_SERVER_REPLY_CHANNEL_H_
#define CARAT_SERVER_REPLY_CHANNEL_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "api/http.h"

namespace carat {

class ReplyChannel : public HttpReply {
 public:
  struct Framing {
    int minor_version = 1;
    bool head_only = false;  // the request was HEAD
    bool keep_alive = true;  // as far as the request goes
    HttpHeaders headers;     // put into every head
  };
  // `wake` tells the I/O side that there is something to take.
  ReplyChannel(Framing framing, std::function<void()> wake);

  // The handler's side.
  void Start(int status, const HttpHeaders& headers) override;
  bool Write(std::string_view bytes) override;
  bool gone() const override { return gone_; }
  bool started() const override { return status_ != 0; }
  void Tell(const AnswerFacts& facts) override;
  // The handler has returned. What it left out is made good or, where the
  // client was promised more, ends the connection.
  void Finish();

  // The I/O side. Bytes to send, up to now; `finished`: no more will come.
  std::string Take(bool* finished);
  // The client went away but may still read.
  void SetGone() { gone_ = true; }
  // Nothing can be sent any more: wakes and refuses the writer.
  void SetBroken();
  // Answers begun from now on close the connection.
  void Close() { close_ = true; }
  // After the end: whether another request may follow.
  bool keep_alive() const;

  int status() const { return status_; }
  uint64_t body_bytes() const { return sent_bytes_; }
  AnswerFacts answer() const;

 private:
  void Append(std::string_view bytes);  // with mutex_ held

  const Framing framing_;
  const std::function<void()> wake_;
  std::atomic<bool> gone_{false};
  std::atomic<bool> close_{false};
  std::atomic<int> status_{0};
  std::atomic<uint64_t> sent_bytes_{0};

  mutable std::mutex mutex_;
  std::condition_variable drained_;
  std::string out_;
  bool broken_ = false;
  bool finished_ = false;
  bool keep_alive_ = true;
  bool chunked_ = false;
  bool has_length_ = false;
  uint64_t promised_bytes_ = 0;
  AnswerFacts answer_;
};

// "Not Found" for 404; "Status" for what has no name.
const char* HttpReason(int status);
// "Tue, 24 Nov 2026 11:50:17 GMT".
std::string HttpDate();

}  // namespace carat

#endif  // CARAT_SERVER_REPLY_CHANNEL_H_
