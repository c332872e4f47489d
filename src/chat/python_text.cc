#include "chat/python_text.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/utf8.h"
#include "chat/unicode_lower.h"

namespace carat {
namespace {

bool IsPythonSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 ||
         c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// repr(float): shortest digits, fixed notation for exponents -4 to 15.
std::string PythonFloat(double value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                                 std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  const bool negative = text.front() == '-';
  if (negative) text.remove_prefix(1);
  const size_t e = text.find('e');
  std::string digits(text.substr(0, 1));
  if (e > 2) digits += text.substr(2, e - 2);
  int exponent = 0;
  const size_t sign = text[e + 1] == '+' ? e + 2 : e + 1;
  std::from_chars(text.data() + sign, text.data() + text.size(), exponent);

  std::string out = negative ? "-" : "";
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (count > 1) out += "." + digits.substr(1);
    out += exponent < 0 ? "e-" : "e+";
    const std::string power = std::to_string(std::abs(exponent));
    if (power.size() < 2) out += '0';
    return out + power;
  }
  if (exponent < 0) {
    return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') +
           digits;
  }
  if (count <= exponent + 1) {
    return out + digits +
           std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  }
  const size_t whole = static_cast<size_t>(exponent + 1);
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string PythonRepr(const ExactJson& value) {
  if (!value.is_string()) return PythonStr(value);
  const bool single = value.text.find('\'') == value.text.npos ||
                      value.text.find('"') != value.text.npos;
  const char quote = single ? '\'' : '"';
  std::string out(1, quote);
  for (const char c : value.text) {
    if (c == quote || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + quote;
}

}  // namespace

size_t PythonSpaceSize(std::string_view text) {
  const Utf8Char c = DecodeUtf8(text);
  return c.valid && IsPythonSpace(c.code) ? c.size : 0;
}

std::string_view PythonStrip(std::string_view text) {
  while (!text.empty()) {
    const size_t size = PythonSpaceSize(text);
    if (size == 0) break;
    text.remove_prefix(size);
  }
  while (!text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 &&
           (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) {
      --start;
    }
    const size_t size = PythonSpaceSize(text.substr(start));
    if (size == 0 || start + size != text.size()) break;
    text = text.substr(0, start);
  }
  return text;
}

std::string PythonLower(std::string_view text) {
  std::u32string codes;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(text.substr(at));
    codes.push_back(c.code);
    at += c.size;
  }
  std::string out;
  for (size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] == 0x130) {  // dotted capital I: the one that grows
      out += "i\xCC\x87";
    } else if (codes[i] == 0x3A3 && IsFinalSigma(codes, i)) {
      AppendUtf8(0x3C2, &out);
    } else {
      AppendUtf8(SimpleLower(codes[i]), &out);
    }
  }
  return out;
}

std::string AsciiUpper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::string PythonNumber(std::string_view digits) {
  if (digits.find_first_of(".eE") == digits.npos) {
    return digits == "-0" ? "0" : std::string(digits);
  }
  double value = 0;
  const auto read =
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec == std::errc::result_out_of_range) {
    // Too small a number reads as zero, too large a one has no finite value.
    const size_t e = digits.find_first_of("eE");
    const bool tiny = e != digits.npos && digits.substr(e + 1, 1) == "-";
    if (!tiny) return std::string(digits);
    return digits.front() == '-' ? "-0.0" : "0.0";
  }
  return PythonFloat(value);
}

std::string PythonStr(const ExactJson& value) {
  switch (value.kind) {
    case ExactJson::Kind::kNull:
      return "None";
    case ExactJson::Kind::kBool:
      return value.flag ? "True" : "False";
    case ExactJson::Kind::kNumber:
      return PythonNumber(value.text);
    case ExactJson::Kind::kString:
      return value.text;
    case ExactJson::Kind::kArray: {
      std::string out = "[";
      for (const ExactJson& item : value.items) {
        if (out.size() > 1) out += ", ";
        out += PythonRepr(item);
      }
      return out + "]";
    }
    case ExactJson::Kind::kObject: {
      std::string out = "{";
      for (const ExactJson::Member& member : value.members) {
        if (out.size() > 1) out += ", ";
        out += PythonRepr(ExactJson::String(member.key)) + ": " +
               PythonRepr(member.value);
      }
      return out + "}";
    }
  }
  return "";
}

std::vector<const ExactJson::Member*> SortedMembers(const ExactJson& object) {
  std::vector<std::pair<std::string, const ExactJson::Member*>> keyed;
  keyed.reserve(object.members.size());
  for (const ExactJson::Member& member : object.members) {
    keyed.emplace_back(PythonLower(member.key), &member);
  }
  // Equal keys by their address, which is their first order.
  std::sort(keyed.begin(), keyed.end());
  std::vector<const ExactJson::Member*> sorted;
  sorted.reserve(keyed.size());
  for (const auto& [lower, member] : keyed) sorted.push_back(member);
  return sorted;
}

}  // namespace carat
