// The protobuf wire format, as much of it as a SentencePiece model needs.
// Every length is checked against the bytes that are there.
#ifndef CARAT_TOKENIZER_WIRE_READER_H_
#define CARAT_TOKENIZER_WIRE_READER_H_

#include <cstdint>
#include <cstring>
#include <string_view>

namespace carat {

class WireReader {
 public:
  struct Field {
    uint32_t number = 0;
    enum Type : uint8_t { kVarint, kFixed64, kBytes, kFixed32 } type = kVarint;
    uint64_t value = 0;      // kVarint, kFixed64, kFixed32
    std::string_view bytes;  // kBytes

    float AsFloat() const {
      const uint32_t bits = static_cast<uint32_t>(value);
      float result;
      std::memcpy(&result, &bits, 4);
      return result;
    }
  };

  explicit WireReader(std::string_view message) : rest_(message) {}

  // Reads the next field; false at the end of the message or at an error.
  bool Next(Field* field);
  bool ok() const { return ok_; }

 private:
  bool Varint(uint64_t* value);
  bool Fixed(size_t size, uint64_t* value);
  bool Fail() {
    ok_ = false;
    return false;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace carat

#endif  // CARAT_TOKENIZER_WIRE_READER_H_
