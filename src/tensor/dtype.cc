#include "tensor/dtype.h"

#include <fmt/format.h>

#include <iterator>

namespace carat {
namespace {

struct Row {
  DTypeInfo info;
  uint32_t gguf_id;
};

// In the order of DType. Ids and sizes as in GGUF's specification.
constexpr Row kRows[] = {
    {{"F32", 1, 4}, 0},         {{"F16", 1, 2}, 1},
    {{"BF16", 1, 2}, 30},       {{"Q4_0", 32, 18}, 2},
    {{"Q4_1", 32, 20}, 3},      {{"Q5_0", 32, 22}, 6},
    {{"Q5_1", 32, 24}, 7},      {{"Q8_0", 32, 34}, 8},
    {{"Q2_K", 256, 84}, 10},    {{"Q3_K", 256, 110}, 11},
    {{"Q4_K", 256, 144}, 12},   {{"Q5_K", 256, 176}, 13},
    {{"Q6_K", 256, 210}, 14},   {{"IQ1_S", 256, 50}, 19},
    {{"IQ1_M", 256, 56}, 29},   {{"IQ2_XXS", 256, 66}, 16},
    {{"IQ2_XS", 256, 74}, 17},  {{"IQ2_S", 256, 82}, 22},
    {{"IQ3_XXS", 256, 98}, 18}, {{"IQ3_S", 256, 110}, 21},
    {{"IQ4_NL", 32, 18}, 20},   {{"IQ4_XS", 256, 136}, 23},
    {{"MXFP4", 32, 17}, 39},    {{"I8", 1, 1}, 24},
    {{"I16", 1, 2}, 25},        {{"I32", 1, 4}, 26},
    {{"I64", 1, 8}, 27},        {{"F64", 1, 8}, 28},
};
static_assert(std::size(kRows) == kDTypeCount);

// Types that exist but that no public Gemma file uses, for messages.
const char* UnreadTypeName(uint32_t id) {
  switch (id) {
    case 4:
      return "Q4_2, removed from the format";
    case 5:
      return "Q4_3, removed from the format";
    case 9:
      return "Q8_1";
    case 15:
      return "Q8_K";
    case 31:
      return "Q4_0_4_4, removed from the format";
    case 32:
      return "Q4_0_4_8, removed from the format";
    case 33:
      return "Q4_0_8_8, removed from the format";
    case 34:
      return "TQ1_0";
    case 35:
      return "TQ2_0";
    case 40:
      return "NVFP4";
    case 41:
      return "Q1_0";
    default:
      return nullptr;
  }
}

}  // namespace

const DTypeInfo& GetDTypeInfo(DType type) {
  return kRows[static_cast<size_t>(type)].info;
}

std::optional<DType> DTypeFromGguf(uint32_t id) {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (kRows[i].gguf_id == id) return static_cast<DType>(i);
  }
  return std::nullopt;
}

uint32_t GgufFromDType(DType type) {
  return kRows[static_cast<size_t>(type)].gguf_id;
}

std::string GgufTypeName(uint32_t id) {
  if (const std::optional<DType> type = DTypeFromGguf(id)) {
    return DTypeName(*type);
  }
  const char* name = UnreadTypeName(id);
  return name == nullptr ? fmt::format("{}", id)
                         : fmt::format("{} ({})", id, name);
}

}  // namespace carat
