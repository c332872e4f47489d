// Sets of Unicode code points and their UTF-8 spelling as byte ranges.
#ifndef CARAT_GRAMMAR_CHAR_CLASS_H_
#define CARAT_GRAMMAR_CHAR_CLASS_H_

#include <cstdint>
#include <utility>
#include <vector>

namespace carat {

struct CodeRange {
  char32_t lo;
  char32_t hi;
  bool operator==(const CodeRange&) const = default;
};

// Sorted, disjoint, not adjacent after Normalize.
class CharClass {
 public:
  CharClass() = default;
  explicit CharClass(std::vector<CodeRange> ranges);
  static CharClass Any();  // every code point but the surrogates

  void Add(char32_t lo, char32_t hi);
  void Add(const CharClass& other);
  CharClass Complement() const;
  // Adds the other case of every ASCII letter.
  void FoldAsciiCase();
  const std::vector<CodeRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }

 private:
  void Normalize();
  std::vector<CodeRange> ranges_;
};

// Each element is the byte ranges of one to four bytes; together they spell
// exactly the code points of the class, surrogates left out.
struct ByteRange {
  uint8_t lo;
  uint8_t hi;
};
std::vector<std::vector<ByteRange>> Utf8Ranges(const CharClass& chars);

}  // namespace carat

#endif  // CARAT_GRAMMAR_CHAR_CLASS_H_
