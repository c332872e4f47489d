// What the machine offers, read from /proc, /sys and the CPU.
#ifndef CARAT_CLI_MACHINE_H_
#define CARAT_CLI_MACHINE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace carat {

struct Machine {
  std::string cpu;  // model name; may be empty
  int online_cpus = 0;
  std::vector<std::string> features;  // of those that matter to carat
  uint64_t memory_bytes = 0;
  uint64_t available_bytes = 0;
  uint64_t memory_limit_bytes = 0;  // of the control group; 0: none
  uint64_t swap_bytes = 0;
  std::string huge_pages;  // "always", "madvise", "never"; or empty
  std::string governor;    // of CPU 0: "performance" ...; or empty
};

Machine InspectMachine();

// "[always] madvise never" -> "always". Empty when nothing is marked.
std::string MarkedChoice(const std::string& text);

}  // namespace carat

#endif  // CARAT_CLI_MACHINE_H_
