// The cache of one timeline of tokens: page tables per group over a PagePool.
// Pages of sliding groups are dropped once they lie behind the window. Forks
// share pages; a shared page is copied before somebody else's part is written.
// Not thread-safe.
#ifndef CARAT_KV_KV_SEQUENCE_H_
#define CARAT_KV_KV_SEQUENCE_H_

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "kv/page_pool.h"

namespace carat {

class KvSequence {
 public:
  explicit KvSequence(PagePool* pool);
  ~KvSequence() { Clear(); }
  KvSequence(KvSequence&& other) noexcept;
  KvSequence& operator=(KvSequence&& other) noexcept;
  KvSequence(const KvSequence&) = delete;
  KvSequence& operator=(const KvSequence&) = delete;

  // Positions [0, length()) are held (sliding groups: the window's part).
  int64_t length() const { return length_; }
  const KvTables& tables() const { return tables_; }
  // [group][position / kKvTile], null where dropped.
  const std::vector<std::vector<KvPage*>>& pages() const { return pages_; }

  // Makes room to write positions [length(), length() + count) and drops what
  // the sliding windows no longer reach from position length() on. Error
  // kResourceExhausted when the pool's budget is spent; nothing changes then.
  Status Extend(int64_t count);
  // Declares `count` more positions written.
  void Advance(int64_t count) { length_ += count; }

  // Whether the sequence can go back to `length` positions: every sliding
  // group must still hold the window before it.
  bool CanTruncate(int64_t length) const;
  // Goes back. Precondition: CanTruncate(length).
  void Truncate(int64_t length);

  // A sequence with the first `length` positions, sharing pages. Precondition:
  // CanTruncate(length).
  KvSequence Fork(int64_t length) const;

  void Clear();

  // A sequence of `length` positions over pages that somebody else holds too:
  // [group][page], for sliding groups null up to the window.
  static KvSequence Over(PagePool* pool, int64_t length,
                         std::vector<std::vector<KvPage*>> pages);

  // First position that a sliding group needs when the next written position
  // is `next`.
  static int64_t FirstNeeded(const KvGroup& group, int64_t next);

  // Bytes of the pages that `positions` positions take when written in steps
  // of at most `step`: what a request must be able to get.
  static uint64_t BytesFor(const KvLayout& layout, int64_t positions,
                           int64_t step);
  // The same for one group.
  static uint64_t GroupBytesFor(const KvGroup& group, int64_t positions,
                                int64_t step);

 private:
  void Set(int group, int64_t page, KvPage* value);

  PagePool* pool_;
  int64_t length_ = 0;
  KvTables tables_;
  std::vector<std::vector<KvPage*>> pages_;  // like tables_
  std::vector<int64_t> first_;               // [group] first page still held
};

}  // namespace carat

#endif  // CARAT_KV_KV_SEQUENCE_H_
