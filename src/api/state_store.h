// What a protocol keeps between requests: JSON values by owner and id, in
// memory, with limits on bytes, entries and age. Thread-safe.
#ifndef CARAT_API_STATE_STORE_H_
#define CARAT_API_STATE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace carat {

class StateStore {
 public:
  enum class WhenFull {
    kForgetOldest,  // the least recently used goes
    kRefuse,        // a new entry is an error
  };
  struct Limits {
    size_t bytes = size_t{64} << 20;
    size_t entries = 1024;
    WhenFull when_full = WhenFull::kForgetOldest;
  };
  explicit StateStore(const Limits& limits) : limits_(limits) {}

  // Stores or replaces. `expires_ns`: wall clock. Errors: kResourceExhausted.
  Status Put(const std::string& caller, const std::string& id, Json value,
             int64_t expires_ns);
  // Null when there is none, it is another caller's or it is too old.
  std::shared_ptr<const Json> Get(const std::string& caller,
                                  const std::string& id);
  // False when there was none.
  bool Erase(const std::string& caller, const std::string& id);
  // The caller's values, oldest first.
  std::vector<std::shared_ptr<const Json>> List(const std::string& caller);

 private:
  using Key = std::pair<std::string, std::string>;  // caller, id
  struct Entry {
    Key key;
    std::shared_ptr<const Json> value;
    size_t bytes = 0;
    int64_t expires_ns = 0;
    int64_t order = 0;  // of the first Put
  };
  using Place = std::list<Entry>::iterator;

  void Remove(Place place);
  void RemoveExpired();

  const Limits limits_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::map<Key, Place> places_;
  size_t bytes_ = 0;
  int64_t next_order_ = 0;
};

}  // namespace carat

#endif  // CARAT_API_STATE_STORE_H_
