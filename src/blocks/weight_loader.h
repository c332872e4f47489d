// Takes tensors out of a model file by their GGUF name, checks their shape and
// packs them; or, in plan mode, only adds up the memory that would take. The
// same code loads and plans, so a plan cannot drift from the truth.
#ifndef CARAT_BLOCKS_WEIGHT_LOADER_H_
#define CARAT_BLOCKS_WEIGHT_LOADER_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "blocks/linear.h"
#include "blocks/weight_memory.h"
#include "formats/model_file.h"

namespace carat {

// What a loader has packed, or would: pieces of WeightMemory, one after the
// other.
struct Packing {
  uint64_t bytes = 0;    // of WeightMemory
  Sha256Digest shape{};  // of names, types and shapes in their order
};

// A matrix, or a stack of them, by its GGUF name.
struct PackedPiece {
  std::string name;
  uint64_t elements = 0;
  uint64_t bytes = 0;  // packed
};

class WeightLoader {
 public:
  enum class Mode { kLoad, kPlan };
  // Translates a GGUF tensor name into the file's own.
  using NameMap = std::function<std::string(const std::string&)>;
  // Called with the share of the file's bytes dealt with so far.
  using Progress = std::function<void(double share)>;
  // Asked before each matrix, maybe from several threads; false ends the
  // loading with kCancelled.
  using GoOn = std::function<bool()>;

  struct Options {
    Mode mode = Mode::kLoad;
    ThreadPool* pool = nullptr;      // may be null in plan mode
    WeightMemory* memory = nullptr;  // null: every matrix has its own
    NameMap map;
    // Added to every Norm weight (1 for families whose safetensors store w
    // with 1 + w meant).
    float norm_offset = 0.0f;
    Progress progress;
    GoOn go_on;  // empty: always
  };
  WeightLoader(const ModelFile& file, Options options);

  bool Has(const std::string& name) const;

  // The matrix `name`, [out, in] (or flattened to that). Errors: missing
  // tensor, wrong shape, no memory.
  Result<Linear> Matrix(const std::string& name, int64_t out, int64_t in);
  // Rows [first, first + out) of each of `count` stacked matrices
  // [count, total_out, in].
  Result<std::vector<Linear>> Stack(const std::string& name, int64_t count,
                                    int64_t total_out, int64_t in,
                                    int64_t first, int64_t out);
  // A vector of n floats.
  Result<std::vector<float>> Vector(const std::string& name, int64_t n);
  // A norm's weight: Vector plus the offset.
  Result<std::vector<float>> Norm(const std::string& name, int64_t n);
  // A table with at least `rows` rows that stays in the file.
  Result<RowTable> Table(const std::string& name, int64_t rows, int64_t cols);

  Mode mode() const { return options_.mode; }
  // Bytes of packed weights so far.
  uint64_t packed_bytes() const { return packed_bytes_; }
  // Every matrix so far.
  const std::vector<PackedPiece>& pieces() const { return pieces_; }
  // Everything packed. Call once, at the end.
  Packing TakePacking();
  // Notes for the user, e.g. types that had to be widened.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  Result<const TensorView*> Checked(const std::string& name,
                                    const std::vector<int64_t>& shape);
  Result<Linear> Pack(const TensorView& view, int64_t rows, int64_t cols,
                      const uint8_t* data);
  // Memory for a matrix of `bytes`. Errors: there is none.
  Result<AlignedBuffer> MemoryFor(size_t bytes);

  const ModelFile& file_;
  Options options_;
  uint64_t packed_bytes_ = 0;
  uint64_t memory_bytes_ = 0;
  std::vector<PackedPiece> pieces_;
  Sha256 shape_;
  uint64_t packed_source_bytes_ = 0;
  std::map<DType, bool> widened_;
  std::vector<std::string> notes_;
};

// What a load ends with that GoOn ended.
Status LoadingGivenUp();

}  // namespace carat

#endif  // CARAT_BLOCKS_WEIGHT_LOADER_H_
