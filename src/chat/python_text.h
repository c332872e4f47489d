// The few rules of Python text that the official chat templates lean on. A
// prompt is equal to the template's byte for byte only if whitespace is
// stripped, keys are sorted and numbers are printed as Python does it.
#ifndef CARAT_CHAT_PYTHON_TEXT_H_
#define CARAT_CHAT_PYTHON_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "chat/exact_json.h"

namespace carat {

// str.strip(): Unicode whitespace off both ends. U+200B and U+FEFF stay.
std::string_view PythonStrip(std::string_view text);
// Bytes of the whitespace character at the start of `text`; 0 if it is none.
size_t PythonSpaceSize(std::string_view text);

// str.lower() on valid UTF-8.
std::string PythonLower(std::string_view text);
// str.upper() of the ASCII letters; other characters stay.
std::string AsciiUpper(std::string_view text);

// How Python prints a JSON number once it has read it: "-0" is 0, "1E2" is
// 100.0, "1e-7" is 1e-07; integers of any size keep their digits. A number
// past the range of double stays as written.
std::string PythonNumber(std::string_view digits);

// str() of a JSON value: True, None, [1, 'a'] ...
std::string PythonStr(const ExactJson& value);

// The members of an object ordered like Jinja's dictsort: by lower-cased key,
// ties in their first order.
std::vector<const ExactJson::Member*> SortedMembers(const ExactJson& object);

}  // namespace carat

#endif  // CARAT_CHAT_PYTHON_TEXT_H_
