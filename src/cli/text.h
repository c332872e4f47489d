// Numbers and tables for people.
#ifndef CARAT_CLI_TEXT_H_
#define CARAT_CLI_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace carat {

// "278.3 MiB", "1.24 GiB", "512 B".
std::string HumanBytes(uint64_t bytes);
// "268.1M", "3.88B": parameters.
std::string HumanCount(uint64_t count);
// "1,048,576".
std::string Grouped(int64_t number);

// What a model or a file wrote, without what could steer a terminal: control
// characters but newline and tab.
std::string WithoutControls(std::string text);
// The same with everything visible instead of dropped: control characters and
// marks that reorder or hide text become "\\u202e" and the like.
std::string Visible(std::string_view text);

enum class Align { kLeft, kRight };

// Rows of cells in columns as wide as their widest cell, two spaces between.
// The last column is not padded. Width counts UTF-8 characters.
class Table {
 public:
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}
  // Control characters in cells become question marks.
  void Row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // Every line begins with `indent` and ends with a newline.
  std::string ToString(std::string_view indent = "") const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// A list like "0,2048,8192" as numbers. False for anything else.
bool ParseNumberList(std::string_view text, std::vector<int64_t>* out);

// Median; 0 for none.
double Median(std::vector<double> values);

}  // namespace carat

#endif  // CARAT_CLI_TEXT_H_
