// Identifiers of answers: "chatcmpl-" and 24 random letters and digits.
#ifndef CARAT_API_IDS_H_
#define CARAT_API_IDS_H_

#include <string>
#include <string_view>

namespace carat {

// `prefix` and 24 characters of [0-9A-Za-z] from the system's random source:
// nobody can guess one. Thread-safe.
std::string NewId(std::string_view prefix);

}  // namespace carat

#endif  // CARAT_API_IDS_H_
