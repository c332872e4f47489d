#include "api/openai/response_store.h"

#include <utility>

#include "chat/messages_json.h"

namespace carat {
namespace {

// The ids of an answer's output items.
std::vector<std::string> ItemIds(const Json& response) {
  std::vector<std::string> ids;
  const Json* output = response.Find("output");
  if (output == nullptr || !output->is_array()) return ids;
  for (const Json& item : output->as_array()) {
    const Json* id = item.Find("id");
    if (id != nullptr && id->is_string()) ids.push_back(id->as_string());
  }
  return ids;
}

}  // namespace

void ResponseStore::Put(StoredResponse response, Clock::time_point now) {
  Entry entry;
  entry.when = now;
  entry.bytes = response.response.Dump().size() +
                MessagesToJson(response.messages).size();
  entry.stored = std::move(response);
  std::lock_guard<std::mutex> lock(mutex_);
  DropOld(now);
  if (entry.bytes > limits_.bytes) return;
  while (!entries_.empty() && (entries_.size() >= limits_.entries ||
                               bytes_ + entry.bytes > limits_.bytes)) {
    Drop(entries_.begin());
  }
  bytes_ += entry.bytes;
  const std::string id = entry.stored.id;
  for (std::string& item : ItemIds(entry.stored.response)) {
    item_owner_[std::move(item)] = id;
  }
  by_id_[id] = entries_.insert(entries_.end(), std::move(entry));
}

std::optional<StoredResponse> ResponseStore::Get(const std::string& id,
                                                 const std::string& caller,
                                                 Clock::time_point now) {
  std::lock_guard<std::mutex> lock(mutex_);
  DropOld(now);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  const StoredResponse& stored = found->second->stored;
  if (stored.caller != caller) return std::nullopt;
  return stored;
}

std::optional<Json> ResponseStore::GetItem(const std::string& id,
                                           const std::string& caller,
                                           Clock::time_point now) {
  std::lock_guard<std::mutex> lock(mutex_);
  DropOld(now);
  const auto owner = item_owner_.find(id);
  if (owner == item_owner_.end()) return std::nullopt;
  const StoredResponse& stored = by_id_.at(owner->second)->stored;
  if (stored.caller != caller) return std::nullopt;
  for (const Json& item : stored.response.Find("output")->as_array()) {
    const Json* item_id = item.Find("id");
    if (item_id != nullptr && *item_id == Json(id)) return item;
  }
  return std::nullopt;
}

bool ResponseStore::Delete(const std::string& id, const std::string& caller) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || found->second->stored.caller != caller) {
    return false;
  }
  Drop(found->second);
  return true;
}

size_t ResponseStore::bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

void ResponseStore::DropOld(Clock::time_point now) {
  while (!entries_.empty() && now - entries_.front().when > limits_.age) {
    Drop(entries_.begin());
  }
}

void ResponseStore::Drop(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  for (const std::string& item : ItemIds(entry->stored.response)) {
    item_owner_.erase(item);
  }
  by_id_.erase(entry->stored.id);
  entries_.erase(entry);
}

}  // namespace carat
