// What an engine counts, for /metrics and for people. Plain values: a copy is
// taken between two steps.
#ifndef CARAT_RUNTIME_ENGINE_STATS_H_
#define CARAT_RUNTIME_ENGINE_STATS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace carat {

// Counts of values in ranges, as Prometheus wants them: counts[i] holds the
// values of at most bounds[i] that no earlier range holds, the last one the
// rest.
struct Histogram {
  std::vector<double> bounds;    // ascending
  std::vector<uint64_t> counts;  // bounds.size() + 1
  double sum = 0;
  uint64_t count = 0;

  Histogram(std::initializer_list<double> upper)
      : bounds(upper), counts(upper.size() + 1, 0) {}
  void Add(double value) {
    const auto at = std::lower_bound(bounds.begin(), bounds.end(), value);
    ++counts[static_cast<size_t>(at - bounds.begin())];
    sum += value;
    ++count;
  }
};

// Totals since the engine was loaded, unless said otherwise.
struct EngineStats {
  int64_t requests = 0;       // accepted
  int64_t refused = 0;        // the queue was full
  int64_t finished = 0;       // of the accepted, whatever the reason
  int64_t cancelled = 0;      // of the finished
  int64_t expired = 0;        // of the finished, at their deadline
  int64_t failed = 0;         // of the finished, with an error
  int64_t preempted = 0;      // times a sequence lost its cache to another
  int64_t prompt_tokens = 0;  // of requests that were started
  int64_t cached_tokens = 0;  // of prompt_tokens, not computed again
  int64_t output_tokens = 0;
  int64_t steps = 0;

  // Prompt cache.
  int64_t cache_hits = 0;       // requests that found a part of their prompt
  int64_t cache_misses = 0;     // requests that found nothing
  int64_t cache_evictions = 0;  // pages given up for others
  int64_t disk_hits = 0;        // requests that read pages from disk
  int64_t disk_tokens = 0;      // of cached_tokens, read from disk
  int64_t disk_reads = 0, disk_writes = 0;  // pages
  int64_t disk_errors = 0;    // writes that failed, files found damaged
  uint64_t disk_bytes = 0;    // now in the folder
  uint64_t cached_bytes = 0;  // now: pages that only the cache holds

  int running = 0;                 // now
  int queued = 0;                  // now
  uint64_t kv_used_bytes = 0;      // now, cached pages included
  uint64_t kv_reserved_bytes = 0;  // now taken from the system
  uint64_t kv_budget_bytes = 0;

  Histogram batch_rows = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  Histogram batch_sequences = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
  Histogram step_seconds = {.001, .0025, .005, .01, .025, .05, .1,
                            .25,  .5,    1,    2.5, 5,    10};
  Histogram queue_seconds = {.001, .01, .1, .5, 1, 2.5, 5, 10, 30, 60, 300};
  // From submission to the first token.
  Histogram first_token_seconds = {.01, .025, .05, .1, .25, .5, 1,
                                   2.5, 5,    10,  30, 60,  300};
};

}  // namespace carat

#endif  // CARAT_RUNTIME_ENGINE_STATS_H_
