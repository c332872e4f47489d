#include "cli/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/utf8.h"

namespace carat {
namespace {

// Three significant digits, "1.24" "12.4" "124".
std::string ThreeDigits(double value) {
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 999.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

// Names from foreign files must not steer the terminal.
std::string Harmless(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return text;
}

size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string HumanBytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  const char* unit = "KiB";
  double value = static_cast<double>(bytes) / 1024;
  for (const char* next : {"MiB", "GiB", "TiB"}) {
    if (value < 1023.95) break;
    value /= 1024;
    unit = next;
  }
  return ThreeDigits(value) + " " + unit;
}

std::string HumanCount(uint64_t count) {
  if (count < 1000) return fmt::format("{}", count);
  double value = static_cast<double>(count) / 1e3;
  const char* unit = "K";
  for (const char* next : {"M", "B", "T"}) {
    if (value < 999.95) break;
    value /= 1e3;
    unit = next;
  }
  return ThreeDigits(value) + unit;
}

std::string Grouped(int64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    const size_t left = digits.size() - i;
    const bool after_digit = i > 0 && digits[i - 1] != '-';
    if (after_digit && left % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

void Table::Row(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = Harmless(std::move(cell));
  rows_.push_back(std::move(cells));
}

std::string Table::ToString(std::string_view indent) const {
  std::vector<size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], Width(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line(indent);
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      if (i > 0) line += "  ";
      const std::string pad(widths[i] - Width(row[i]), ' ');
      line += columns_[i] == Align::kRight ? pad + row[i] : row[i] + pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

bool ParseNumberList(std::string_view text, std::vector<int64_t>* out) {
  out->clear();
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    int64_t value = 0;
    const char* end = item.data() + item.size();
    const auto [rest, error] = std::from_chars(item.data(), end, value);
    if (error != std::errc() || rest != end || value < 0) return false;
    out->push_back(value);
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

std::string WithoutControls(std::string text) {
  std::erase_if(text, [](unsigned char c) {
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
  });
  return text;
}

std::string Visible(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Utf8Char c = DecodeUtf8(text);
    const char32_t code = c.code;
    const bool hidden = code < 0x20 || (code >= 0x7F && code < 0xA0) ||
                        (code >= 0x200B && code <= 0x200F) ||
                        (code >= 0x2028 && code <= 0x202E) ||
                        (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
    if (hidden) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(code));
    } else {
      AppendUtf8(code, &out);
    }
    text.remove_prefix(c.size);
  }
  return out;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle]
                                : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace carat
