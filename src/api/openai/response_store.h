// Answers of /v1/responses that later requests may build upon, in memory:
// bounded in bytes, in number and in age; the oldest go first. What one caller
// stored is not there for another. Thread-safe.
#ifndef CARAT_API_OPENAI_RESPONSE_STORE_H_
#define CARAT_API_OPENAI_RESPONSE_STORE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "carat/message.h"

namespace carat {

struct StoredResponse {
  std::string id;
  std::string caller;             // HttpRequest::caller
  Json response;                  // as it was answered
  std::vector<Message> messages;  // the conversation, the answer included
};

class ResponseStore {
 public:
  using Clock = std::chrono::steady_clock;
  struct Limits {
    size_t bytes = 64 << 20;
    size_t entries = 1024;
    std::chrono::seconds age{30 * 60};
  };

  ResponseStore() : ResponseStore(Limits{}) {}
  explicit ResponseStore(const Limits& limits) : limits_(limits) {}

  void Put(StoredResponse response, Clock::time_point now = Clock::now());
  std::optional<StoredResponse> Get(const std::string& id,
                                    const std::string& caller,
                                    Clock::time_point now = Clock::now());
  // One item of a stored answer's output, by its own id.
  std::optional<Json> GetItem(const std::string& id, const std::string& caller,
                              Clock::time_point now = Clock::now());
  // False when there was none.
  bool Delete(const std::string& id, const std::string& caller);
  size_t bytes() const;

 private:
  struct Entry {
    StoredResponse stored;
    size_t bytes = 0;
    Clock::time_point when;
  };
  using Entries = std::list<Entry>;  // oldest first

  void DropOld(Clock::time_point now);
  void Drop(Entries::iterator entry);

  const Limits limits_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_id_;
  std::unordered_map<std::string, std::string> item_owner_;  // item -> answer
  size_t bytes_ = 0;
};

}  // namespace carat

#endif  // CARAT_API_OPENAI_RESPONSE_STORE_H_
