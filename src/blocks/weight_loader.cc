#include "blocks/weight_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tensor/dequantize.h"

namespace carat {

Status LoadingGivenUp() {
  return Status(StatusCode::kCancelled, "loading the model was given up");
}

WeightLoader::WeightLoader(const ModelFile& file, Options options)
    : file_(file), options_(std::move(options)) {}

bool WeightLoader::Has(const std::string& name) const {
  return file_.Find(options_.map(name)) != nullptr;
}

Result<const TensorView*> WeightLoader::Checked(
    const std::string& name, const std::vector<int64_t>& shape) {
  const std::string own = options_.map(name);
  const TensorView* view = file_.Find(own);
  if (view == nullptr) {
    return Malformed(fmt::format(
        "{}: tensor '{}' is missing; the file is incomplete or of an "
        "architecture that its metadata does not name; get it again",
        file_.path(), own));
  }
  // Leading ones carry no meaning: [1, n] is [n].
  std::vector<int64_t> found = view->shape;
  while (found.size() > shape.size() && found.front() == 1) {
    found.erase(found.begin());
  }
  if (found != shape) {
    return Malformed(fmt::format(
        "{}: tensor '{}' has shape {}, expected {} from the file's "
        "configuration",
        file_.path(), own, ShapeString(view->shape), ShapeString(shape)));
  }
  return view;
}

Result<Linear> WeightLoader::Pack(const TensorView& view, int64_t rows,
                                  int64_t cols, const uint8_t* data) {
  if (cols % static_cast<int64_t>(GetDTypeInfo(view.type).block) != 0) {
    return Malformed(fmt::format(
        "{}: tensor '{}' has {} columns, which {} blocks of {} cannot hold",
        file_.path(), view.name, cols, DTypeName(view.type),
        GetDTypeInfo(view.type).block));
  }
  const PackedLayout layout = LayoutFor(view.type);
  if (layout == PackedLayout::kNone) {
    return Unsupported(
        fmt::format("{}: tensor '{}' has type {}, which holds "
                    "no weights carat can multiply with",
                    file_.path(), view.name, DTypeName(view.type)));
  }
  const size_t bytes = PackedBytes(view.type, rows, cols);
  packed_bytes_ += bytes;
  const bool widened = bytes > DTypeBytes(view.type, rows * cols) * 5 / 4 &&
                       rows % kRowGroup == 0;
  if (widened && !widened_[view.type]) {
    widened_[view.type] = true;
    notes_.push_back(fmt::format("{} weights are widened to {} in memory",
                                 DTypeName(view.type),
                                 PackedLayoutName(layout)));
  }
  memory_bytes_ += WeightMemory::Rounded(bytes);
  shape_.Update(fmt::format("{} {} {} {} {} {}\n", view.name, data - view.data,
                            DTypeName(view.type), PackedLayoutName(layout),
                            rows, cols));
  if (mode() == Mode::kPlan) {
    PackedMatrix shape;
    shape.layout = layout;
    shape.rows = rows;
    shape.cols = cols;
    return Linear(std::move(shape));
  }
  if (options_.go_on && !options_.go_on()) return LoadingGivenUp();
  CARAT_ASSIGN_OR_RETURN(AlignedBuffer memory, MemoryFor(bytes));
  if (options_.memory != nullptr && options_.memory->is_packed()) {
    PackedMatrix there;
    there.layout = layout;
    there.rows = rows;
    there.cols = cols;
    there.data = std::move(memory);
    return Linear(std::move(there));
  }
  // Source pages go as soon as they are packed, so that a large matrix is never
  // in memory twice.
  Result<PackedMatrix> packed =
      PackMatrixInto(std::move(memory), view.type, rows, cols, data,
                     *options_.pool, [&](const uint8_t* at, size_t size) {
                       TensorView piece = view;
                       piece.data = at;
                       piece.bytes = size;
                       file_.Release(piece);
                       packed_source_bytes_ += size;
                       if (options_.progress && file_.file_bytes() > 0) {
                         options_.progress(std::min(
                             1.0, static_cast<double>(packed_source_bytes_) /
                                      static_cast<double>(file_.file_bytes())));
                       }
                     });
  if (!packed.ok()) {
    return packed.status().WithContext(
        fmt::format("{}: tensor '{}'", file_.path(), view.name));
  }
  return Linear(std::move(packed).value());
}

Result<AlignedBuffer> WeightLoader::MemoryFor(size_t bytes) {
  if (options_.memory == nullptr) return AlignedBuffer(bytes);
  std::optional<AlignedBuffer> piece = options_.memory->Take(bytes);
  if (!piece.has_value()) {
    return Internal("the weights take more memory than was planned for them");
  }
  return std::move(*piece);
}

Packing WeightLoader::TakePacking() {
  return {.bytes = memory_bytes_, .shape = shape_.Finish()};
}

Result<Linear> WeightLoader::Matrix(const std::string& name, int64_t out,
                                    int64_t in) {
  CARAT_ASSIGN_OR_RETURN(const TensorView* view, Checked(name, {out, in}));
  pieces_.push_back({.name = name,
                     .elements = static_cast<uint64_t>(out * in),
                     .bytes = PackedBytes(view->type, out, in)});
  CARAT_ASSIGN_OR_RETURN(Linear linear, Pack(*view, out, in, view->data));
  return linear;
}

Result<std::vector<Linear>> WeightLoader::Stack(const std::string& name,
                                                int64_t count,
                                                int64_t total_out, int64_t in,
                                                int64_t first, int64_t out) {
  CARAT_ASSIGN_OR_RETURN(const TensorView* view,
                         Checked(name, {count, total_out, in}));
  pieces_.push_back(
      {.name = name,
       .elements = static_cast<uint64_t>(count * out * in),
       .bytes = PackedBytes(view->type, out, in) * static_cast<size_t>(count)});
  std::vector<Linear> stack;
  for (int64_t i = 0; i < count; ++i) {
    const size_t row = DTypeBytes(view->type, in);
    const uint8_t* data = view->data + (i * total_out + first) * row;
    CARAT_ASSIGN_OR_RETURN(Linear linear, Pack(*view, out, in, data));
    stack.push_back(std::move(linear));
  }
  return stack;
}

Result<std::vector<float>> WeightLoader::Vector(const std::string& name,
                                                int64_t n) {
  CARAT_ASSIGN_OR_RETURN(const TensorView* view, Checked(name, {n}));
  if (n % static_cast<int64_t>(GetDTypeInfo(view->type).block) != 0) {
    return Malformed(fmt::format("{}: vector '{}' of {} elements has type {}",
                                 file_.path(), view->name, n,
                                 DTypeName(view->type)));
  }
  std::vector<float> out(n);
  Dequantize(view->type, view->data, n, out.data());
  packed_bytes_ += n * sizeof(float);
  return out;
}

Result<std::vector<float>> WeightLoader::Norm(const std::string& name,
                                              int64_t n) {
  CARAT_ASSIGN_OR_RETURN(std::vector<float> out, Vector(name, n));
  for (float& w : out) w += options_.norm_offset;
  return out;
}

Result<RowTable> WeightLoader::Table(const std::string& name, int64_t rows,
                                     int64_t cols) {
  const std::string own = options_.map(name);
  const TensorView* view = file_.Find(own);
  const std::vector<int64_t> shape = {
      view != nullptr && view->shape.size() == 2 && view->shape[0] > rows
          ? view->shape[0]
          : rows,
      cols};
  CARAT_ASSIGN_OR_RETURN(view, Checked(name, shape));
  if (cols % static_cast<int64_t>(GetDTypeInfo(view->type).block) != 0) {
    return Malformed(fmt::format("{}: table '{}' of {} columns has type {}",
                                 file_.path(), own, cols,
                                 DTypeName(view->type)));
  }
  if (mode() == Mode::kLoad) file_.RandomAccess(*view);
  return RowTable(&file_, *view);
}

}  // namespace carat
