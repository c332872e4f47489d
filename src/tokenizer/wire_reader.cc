#include "tokenizer/wire_reader.h"

namespace carat {

bool WireReader::Next(Field* field) {
  if (!ok_ || rest_.empty()) return false;
  uint64_t tag;
  if (!Varint(&tag)) return false;
  const uint64_t number = tag >> 3;
  if (number == 0 || number >= uint64_t{1} << 29) return Fail();
  field->number = static_cast<uint32_t>(number);
  switch (tag & 7) {
    case 0:
      field->type = Field::kVarint;
      return Varint(&field->value);
    case 1:
      field->type = Field::kFixed64;
      return Fixed(8, &field->value);
    case 2: {
      field->type = Field::kBytes;
      uint64_t size;
      if (!Varint(&size)) return false;
      if (size > rest_.size()) return Fail();
      field->bytes = rest_.substr(0, size);
      rest_.remove_prefix(size);
      return true;
    }
    case 5:
      field->type = Field::kFixed32;
      return Fixed(4, &field->value);
    default:
      return Fail();  // groups do not occur
  }
}

bool WireReader::Varint(uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 70 && !rest_.empty(); shift += 7) {
    const uint64_t byte = static_cast<unsigned char>(rest_[0]);
    rest_.remove_prefix(1);
    if (shift == 63 && byte > 1) return Fail();
    *value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return Fail();
}

bool WireReader::Fixed(size_t size, uint64_t* value) {
  if (rest_.size() < size) return Fail();
  *value = 0;
  for (size_t i = 0; i < size; ++i) {
    *value |= static_cast<uint64_t>(static_cast<unsigned char>(rest_[i]))
              << (8 * i);
  }
  rest_.remove_prefix(size);
  return true;
}

}  // namespace carat
