// What the protocols are told by whoever starts them.
#ifndef CARAT_API_OPTIONS_H_
#define CARAT_API_OPTIONS_H_

#include <cstdint>
#include <string>

namespace carat {

struct ApiOptions {
  // Quiet time before bytes are sent that keep a connection alive.
  int keep_alive_ms = 15000;
  // Requests that say nothing about thinking (OpenAI's): think.
  bool think = false;
  // Where uploaded files are kept (Gemini's files); empty: there are none.
  std::string files_folder;
  int64_t max_file_bytes = int64_t{2} << 30;
  int64_t max_files_bytes = int64_t{20} << 30;  // of all together
};

}  // namespace carat

#endif  // CARAT_API_OPTIONS_H_
