#include "server/reply_channel.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <utility>

namespace carat {
namespace {

// A writer waits while this much is unsent.
constexpr size_t kHighWaterBytes = 256 << 10;

bool HasNoBody(int status) {
  return status < 200 || status == 204 || status == 304;
}

// A header must not be able to end its line.
bool IsClean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) ==
         std::string_view::npos;
}

}  // namespace

const char* HttpReason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

std::string HttpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[40];
  const size_t n =
      std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return std::string(text, n);
}

ReplyChannel::ReplyChannel(Framing framing, std::function<void()> wake)
    : framing_(std::move(framing)), wake_(std::move(wake)) {}

void ReplyChannel::Append(std::string_view bytes) { out_.append(bytes); }

void ReplyChannel::Start(int status, const HttpHeaders& headers) {
  {
    std::lock_guard lock(mutex_);
    if (status_ != 0) return;
    status_ = status;
    keep_alive_ = framing_.keep_alive && !close_;
    std::string head = fmt::format("HTTP/1.1 {} {}\r\ndate: {}\r\n", status,
                                   HttpReason(status), HttpDate());
    const auto add = [&](const HttpHeaders& all) {
      for (const auto& [name, value] : all) {
        if (!IsClean(name) || !IsClean(value)) continue;
        head += name + ": " + value + "\r\n";
        if (name == "content-length") {
          has_length_ = true;
          promised_bytes_ = std::strtoull(value.c_str(), nullptr, 10);
        }
      }
    };
    add(framing_.headers);
    add(headers);
    if (!has_length_ && !HasNoBody(status)) {
      if (framing_.minor_version > 0) {
        chunked_ = true;
        head += "transfer-encoding: chunked\r\n";
      } else {
        keep_alive_ = false;  // the end of the connection ends the body
      }
    }
    if (!keep_alive_) {
      head += "connection: close\r\n";
    } else if (framing_.minor_version == 0) {
      head += "connection: keep-alive\r\n";
    }
    Append(head + "\r\n");
  }
  wake_();
}

bool ReplyChannel::Write(std::string_view bytes) {
  {
    std::unique_lock lock(mutex_);
    if (status_ == 0 || broken_) return false;
    if (bytes.empty()) return true;
    drained_.wait(lock,
                  [&] { return broken_ || out_.size() < kHighWaterBytes; });
    if (broken_) return false;
    if (has_length_ && sent_bytes_ + bytes.size() > promised_bytes_) {
      bytes = bytes.substr(0, promised_bytes_ - sent_bytes_);
    }
    sent_bytes_ += bytes.size();
    if (framing_.head_only || HasNoBody(status_)) return true;
    if (chunked_) Append(fmt::format("{:x}\r\n", bytes.size()));
    Append(bytes);
    if (chunked_) Append("\r\n");
  }
  wake_();
  return true;
}

void ReplyChannel::Finish() {
  if (!started()) {
    SendBody(this, 500, "application/json",
             R"({"error":{"message":"The request was not answered."}})");
  }
  {
    std::lock_guard lock(mutex_);
    if (chunked_ && !framing_.head_only) Append("0\r\n\r\n");
    if (has_length_ && !framing_.head_only && sent_bytes_ < promised_bytes_) {
      keep_alive_ = false;
    }
    finished_ = true;
  }
  wake_();
}

std::string ReplyChannel::Take(bool* finished) {
  std::string out;
  {
    std::lock_guard lock(mutex_);
    out.swap(out_);
    *finished = finished_;
  }
  drained_.notify_all();
  return out;
}

void ReplyChannel::SetBroken() {
  {
    std::lock_guard lock(mutex_);
    broken_ = true;
    gone_ = true;
    out_.clear();
  }
  drained_.notify_all();
}

void ReplyChannel::Tell(const AnswerFacts& facts) {
  std::lock_guard lock(mutex_);
  answer_ = facts;
}

AnswerFacts ReplyChannel::answer() const {
  std::lock_guard lock(mutex_);
  return answer_;
}

bool ReplyChannel::keep_alive() const {
  std::lock_guard lock(mutex_);
  return keep_alive_ && !close_;
}

}  // namespace carat
