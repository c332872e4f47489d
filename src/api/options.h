// What the protocols are told by whoever starts them.
#ifndef CARAT_API_OPTIONS_H_
#define CARAT_API_OPTIONS_H_

namespace carat {

struct ApiOptions {
  // Quiet time before bytes are sent that keep a connection alive.
  int keep_alive_ms = 15000;
  // Requests that say nothing about thinking (OpenAI's): think.
  bool think = false;
};

}  // namespace carat

#endif  // CARAT_API_OPTIONS_H_
