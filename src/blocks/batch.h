// One step's work: rows (tokens) of one or many sequences. Rows of a sequence
// stand together in ascending position.
#ifndef CARAT_BLOCKS_BATCH_H_
#define CARAT_BLOCKS_BATCH_H_

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "blocks/kv_layout.h"

namespace carat {

struct BatchRow {
  int32_t token = 0;
  int64_t position = 0;  // from 0
  int sequence = 0;      // index into Batch::sequences
  bool output = false;   // its logits are wanted
};

struct Batch {
  std::vector<BatchRow> rows;
  std::vector<const KvTables*> sequences;
};

// Runs body(row) for rows [0, count), in parallel where that pays.
template <typename Body>
void ForRows(int64_t count, ThreadPool& pool, Body&& body) {
  constexpr int64_t kRowsPerTask = 4;
  if (count < kRowsPerTask || pool.threads() == 1) {
    for (int64_t r = 0; r < count; ++r) body(r);
    return;
  }
  const int64_t tasks = (count + kRowsPerTask - 1) / kRowsPerTask;
  pool.ParallelFor(tasks, [&](size_t task, int) {
    const int64_t first = static_cast<int64_t>(task) * kRowsPerTask;
    const int64_t last =
        first + kRowsPerTask < count ? first + kRowsPerTask : count;
    for (int64_t r = first; r < last; ++r) body(r);
  });
}

}  // namespace carat

#endif  // CARAT_BLOCKS_BATCH_H_
