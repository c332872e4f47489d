#include "api/state_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/wire_time.h"

namespace carat {

void StateStore::Remove(Place place) {
  bytes_ -= place->bytes;
  places_.erase(place->key);
  entries_.erase(place);
}

void StateStore::RemoveExpired() {
  const int64_t now_ns = WallClockNs();
  for (Place at = entries_.begin(); at != entries_.end();) {
    const Place here = at++;
    if (here->expires_ns <= now_ns) Remove(here);
  }
}

Status StateStore::Put(const std::string& caller, const std::string& id,
                       Json value, int64_t expires_ns) {
  Entry entry;
  entry.key = {caller, id};
  entry.bytes = value.Dump().size() + caller.size() + id.size();
  entry.expires_ns = expires_ns;
  entry.value = std::make_shared<const Json>(std::move(value));
  if (entry.bytes > limits_.bytes) {
    return ResourceExhausted(
        fmt::format("What is to be stored takes {} bytes; at most {} are kept.",
                    entry.bytes, limits_.bytes));
  }
  std::lock_guard<std::mutex> lock(mutex_);
  RemoveExpired();
  entry.order = next_order_++;
  if (const auto old = places_.find(entry.key); old != places_.end()) {
    entry.order = old->second->order;
    Remove(old->second);
  }
  while (bytes_ + entry.bytes > limits_.bytes ||
         entries_.size() >= limits_.entries) {
    if (limits_.when_full == WhenFull::kRefuse) {
      return ResourceExhausted(fmt::format(
          "{} entries of {} bytes in all are stored, which is the limit; "
          "delete one or wait until one expires.",
          entries_.size(), bytes_));
    }
    Remove(std::prev(entries_.end()));
  }
  bytes_ += entry.bytes;
  entries_.push_front(std::move(entry));
  places_[entries_.front().key] = entries_.begin();
  return OkStatus();
}

std::shared_ptr<const Json> StateStore::Get(const std::string& caller,
                                            const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex_);
  RemoveExpired();
  const auto found = places_.find({caller, id});
  if (found == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->value;
}

bool StateStore::Erase(const std::string& caller, const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex_);
  RemoveExpired();
  const auto found = places_.find({caller, id});
  if (found == places_.end()) return false;
  Remove(found->second);
  return true;
}

std::vector<std::shared_ptr<const Json>> StateStore::List(
    const std::string& caller) {
  std::lock_guard<std::mutex> lock(mutex_);
  RemoveExpired();
  std::vector<std::pair<int64_t, std::shared_ptr<const Json>>> found;
  for (const Entry& entry : entries_) {
    if (entry.key.first == caller) found.emplace_back(entry.order, entry.value);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::shared_ptr<const Json>> out;
  for (auto& [order, value] : found) out.push_back(std::move(value));
  return out;
}

}  // namespace carat
