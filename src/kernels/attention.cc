#include "kernels/attention.h"

#include <algorithm>
#include <vector>

#include "kernels/vector.h"

namespace carat {

namespace scalar {
const AttentionOps& AttentionTable();
}
#if defined(__x86_64__)
namespace avx2 {
const AttentionOps& AttentionTable();
}
namespace avx512 {
const AttentionOps& AttentionTable();
}
#elif defined(__aarch64__)
namespace neon {
const AttentionOps& AttentionTable();
}
#endif

namespace {

const AttentionOps& OpsFor(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2:
    case Isa::kAvxVnni:
      return avx2::AttentionTable();
    case Isa::kAvx512:
      return avx512::AttentionTable();
#elif defined(__aarch64__)
    case Isa::kNeon:
    case Isa::kI8mm:
      return neon::AttentionTable();
#endif
    default:
      return scalar::AttentionTable();
  }
}

// Rows that one task works on: neighbours of the same sequence.
struct RowBlock {
  int64_t first;
  int64_t count;
};

std::vector<RowBlock> CutRows(const AttentionArgs& a, int64_t per_block) {
  std::vector<RowBlock> blocks;
  for (int64_t r = 0; r < a.count; ++r) {
    if (!blocks.empty() && blocks.back().count < per_block &&
        a.rows[blocks.back().first].pages == a.rows[r].pages) {
      ++blocks.back().count;
    } else {
      blocks.push_back({r, 1});
    }
  }
  return blocks;
}

// The queries of one block and KV head, and their partial results.
struct Queries {
  int count = 0;
  const float* q[kMaxQueries];
  const AttentionRow* rows[kMaxQueries];
  float* out[kMaxQueries];
  float* o[kMaxQueries];
  float m[kMaxQueries], l[kMaxQueries];
};

// `o`: results of the queries, [*, head_dim]; null: the caller sets them.
Queries Gather(const AttentionArgs& a, const RowBlock& block, int kv_head,
               int first_head, int head_count, float* o) {
  Queries g;
  const int64_t dim = a.slice.head_dim;
  const int group = a.heads / a.slice.kv_heads;
  for (int64_t r = block.first; r < block.first + block.count; ++r) {
    for (int h = first_head; h < first_head + head_count; ++h) {
      const int64_t head = int64_t{kv_head} * group + h;
      g.q[g.count] = a.q + r * a.q_stride + head * dim;
      g.rows[g.count] = a.rows + r;
      g.out[g.count] = a.out + r * a.out_stride + head * dim;
      g.o[g.count] = o == nullptr ? nullptr : o + g.count * dim;
      ++g.count;
    }
  }
  return g;
}

AttentionOps::Partial PartialOf(const AttentionArgs& a, Queries& g, int kv_head,
                                int64_t split, float* scratch) {
  AttentionOps::Partial p;
  p.q = g.q;
  p.rows = g.rows;
  p.count = g.count;
  p.kv_head = kv_head;
  int64_t low = INT64_MAX, high = 0;
  for (int j = 0; j < g.count; ++j) {
    low = std::min(low, g.rows[j]->begin);
    high = std::max(high, g.rows[j]->end);
  }
  p.split_begin = std::max(split * kKvSplit, low / kKvTile * kKvTile);
  p.split_end = std::min((split + 1) * kKvSplit, high);
  p.scale = a.scale;
  p.softcap = a.softcap;
  p.slice = a.slice;
  p.scratch = scratch;
  p.m = g.m;
  p.l = g.l;
  p.o = g.o;
  return p;
}

struct SplitRange {
  int64_t first = INT64_MAX, last = 0;  // splits [first, last)
};

SplitRange SplitsOf(const AttentionArgs& a, const RowBlock& block) {
  SplitRange range;
  for (int64_t r = block.first; r < block.first + block.count; ++r) {
    range.first = std::min(range.first, a.rows[r].begin / kKvSplit);
    range.last =
        std::max(range.last, (a.rows[r].end + kKvSplit - 1) / kKvSplit);
  }
  return range;
}

// A task's rows and heads: with many rows one task takes a whole block; few
// rows are cut by heads and splits so that all threads have work.
struct Task {
  RowBlock block;
  int kv_head;
  int first_head, head_count;
  SplitRange splits;
  int64_t first_partial;  // index of the task's first (split, query) partial
};

void RunWholeTask(const AttentionArgs& a, const AttentionOps& ops,
                  const Task& task, float* memory) {
  const int64_t dim = a.slice.head_dim;
  float* total = memory;
  float* part = total + kMaxQueries * dim;
  float* scratch = part + kMaxQueries * dim;
  Queries g = Gather(a, task.block, task.kv_head, task.first_head,
                     task.head_count, part);
  float m[kMaxQueries], l[kMaxQueries];
  std::fill(m, m + g.count, -__builtin_inff());
  std::fill(l, l + g.count, 0.0f);
  std::fill(total, total + g.count * dim, 0.0f);
  for (int64_t s = task.splits.first; s < task.splits.last; ++s) {
    ops.partial(PartialOf(a, g, task.kv_head, s, scratch));
    for (int j = 0; j < g.count; ++j) {
      ops.merge(g.m[j], g.l[j], g.o[j], dim, m + j, l + j, total + j * dim);
    }
  }
  for (int j = 0; j < g.count; ++j) {
    ops.finish(total + j * dim, l[j], dim, g.out[j]);
  }
}

// One partial result: m, l, then o [head_dim], padded to a cache line.
int64_t PartialFloats(int64_t dim) { return dim + 16; }

void RunSplit(const AttentionArgs& a, const AttentionOps& ops, const Task& task,
              int64_t split, float* partials, float* scratch) {
  const int64_t dim = a.slice.head_dim, size = PartialFloats(dim);
  Queries g = Gather(a, task.block, task.kv_head, task.first_head,
                     task.head_count, nullptr);
  float* base =
      partials +
      (task.first_partial + (split - task.splits.first) * g.count) * size;
  for (int j = 0; j < g.count; ++j) g.o[j] = base + j * size + 16;
  ops.partial(PartialOf(a, g, task.kv_head, split, scratch));
  for (int j = 0; j < g.count; ++j) {
    base[j * size] = g.m[j];
    base[j * size + 1] = g.l[j];
  }
}

// Merges the partial results of query j of the task, in order of position.
void MergeSplits(const AttentionArgs& a, const AttentionOps& ops,
                 const Task& task, int j, float* partials) {
  const int64_t dim = a.slice.head_dim, size = PartialFloats(dim);
  Queries g = Gather(a, task.block, task.kv_head, task.first_head,
                     task.head_count, nullptr);
  const int64_t splits = task.splits.last - task.splits.first;
  // Merging the first split into nothing leaves it as it is.
  float* first = partials + (task.first_partial + j) * size;
  float m = first[0], l = first[1];
  for (int64_t s = 1; s < splits; ++s) {
    const float* next =
        partials + (task.first_partial + s * g.count + j) * size;
    ops.merge(next[0], next[1], next + 16, dim, &m, &l, first + 16);
  }
  ops.finish(first + 16, l, dim, g.out[j]);
}

}  // namespace

float* AttentionScratch::Get(size_t floats) {
  if (buffer_.bytes() < floats * sizeof(float)) {
    buffer_ = AlignedBuffer(floats * sizeof(float));
  }
  return buffer_.as<float>();
}

void AttentionWith(Isa isa, const AttentionArgs& a, AttentionScratch& scratch,
                   ThreadPool& pool) {
  const AttentionOps& ops = OpsFor(isa);
  const int group = a.heads / a.slice.kv_heads;
  const int64_t dim = a.slice.head_dim;
  const int heads_per_task = std::min(group, kMaxQueries);
  const std::vector<RowBlock> blocks =
      CutRows(a, std::max(1, kMaxQueries / heads_per_task));

  std::vector<Task> tasks;
  int64_t partials = 0;
  for (const RowBlock& block : blocks) {
    const SplitRange splits = SplitsOf(a, block);
    for (int kv = 0; kv < a.slice.kv_heads; ++kv) {
      for (int h = 0; h < group; h += heads_per_task) {
        const int count = std::min(heads_per_task, group - h);
        tasks.push_back({block, kv, h, count, splits, partials});
        partials += (splits.last - splits.first) * block.count * count;
      }
    }
  }
  const int64_t own = 2 * kMaxQueries * dim + AttentionScratchFloats(dim);
  if (tasks.size() >= static_cast<size_t>(2 * pool.threads()) ||
      partials == 0) {
    float* memory = scratch.Get(own * pool.threads());
    pool.ParallelFor(tasks.size(), [&](size_t i, int thread) {
      RunWholeTask(a, ops, tasks[i], memory + own * thread);
    });
    return;
  }
  struct Piece {
    const Task* task;
    int64_t split;
  };
  std::vector<Piece> pieces;
  for (const Task& task : tasks) {
    for (int64_t s = task.splits.first; s < task.splits.last; ++s) {
      pieces.push_back({&task, s});
    }
  }
  float* memory =
      scratch.Get(own * pool.threads() + partials * PartialFloats(dim));
  float* results = memory + own * pool.threads();
  pool.ParallelFor(pieces.size(), [&](size_t i, int thread) {
    RunSplit(a, ops, *pieces[i].task, pieces[i].split, results,
             memory + own * thread);
  });
  struct Merge {
    const Task* task;
    int query;
  };
  std::vector<Merge> merges;
  for (const Task& task : tasks) {
    const int queries = static_cast<int>(task.block.count) * task.head_count;
    for (int j = 0; j < queries; ++j) merges.push_back({&task, j});
  }
  pool.ParallelFor(merges.size(), [&](size_t i, int) {
    MergeSplits(a, ops, *merges[i].task, merges[i].query, results);
  });
}

void Attention(const AttentionArgs& args, AttentionScratch& scratch,
               ThreadPool& pool) {
  AttentionWith(ActiveIsa(), args, scratch, pool);
}

}  // namespace carat
