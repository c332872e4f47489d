#include "cli/machine.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>

namespace carat {
namespace {

// Files of /proc report no size, so they are read to their end.
std::string ReadProc(const char* path) {
  std::string out;
  FILE* file = std::fopen(path, "r");
  if (file == nullptr) return out;
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), file)) {
    out.append(buffer, n);
    if (out.size() > (1 << 20)) break;
  }
  std::fclose(file);
  return out;
}

std::string Trim(const std::string& text) {
  const size_t from = text.find_first_not_of(" \t\n");
  if (from == std::string::npos) return "";
  return text.substr(from, text.find_last_not_of(" \t\n") - from + 1);
}

// The value behind "key :" in a file of such lines.
std::string Field(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    if (Trim(line.substr(0, colon)) == key) return Trim(line.substr(colon + 1));
  }
  return "";
}

uint64_t KibField(const std::string& text, const std::string& key) {
  return std::strtoull(Field(text, key).c_str(), nullptr, 10) * 1024;
}

std::vector<std::string> FeaturesIn(const std::string& flags) {
  static const char* const kKnown[] = {
      "avx2",     "fma",         "f16c",        "avx_vnni", "avx512f",
      "avx512bw", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16",
      "asimd",    "asimddp",     "i8mm",        "bf16",     "sve"};
  const std::string padded = " " + flags + " ";
  std::vector<std::string> out;
  for (const char* name : kKnown) {
    const std::string word = std::string(" ") + name + " ";
    if (padded.find(word) != std::string::npos) out.emplace_back(name);
  }
  return out;
}

uint64_t MemoryLimit() {
  for (const char* path : {"/sys/fs/cgroup/memory.max",
                           "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const std::string text = Trim(ReadProc(path));
    if (text.empty() || text == "max") continue;
    const uint64_t limit = std::strtoull(text.c_str(), nullptr, 10);
    if (limit < uint64_t{1} << 60) return limit;  // beyond: "no limit"
  }
  return 0;
}

}  // namespace

std::string MarkedChoice(const std::string& text) {
  const size_t open = text.find('[');
  const size_t close = text.find(']', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) return "";
  return text.substr(open + 1, close - open - 1);
}

Machine InspectMachine() {
  Machine out;
  const std::string cpu = ReadProc("/proc/cpuinfo");
  out.cpu = Field(cpu, "model name");
  std::string flags = Field(cpu, "flags");
  if (flags.empty()) flags = Field(cpu, "Features");
  out.features = FeaturesIn(flags);
  out.online_cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  const std::string memory = ReadProc("/proc/meminfo");
  out.memory_bytes = KibField(memory, "MemTotal");
  out.available_bytes = KibField(memory, "MemAvailable");
  out.swap_bytes = KibField(memory, "SwapTotal");
  out.memory_limit_bytes = MemoryLimit();
  out.huge_pages =
      MarkedChoice(ReadProc("/sys/kernel/mm/transparent_hugepage/enabled"));
  out.governor =
      Trim(ReadProc("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
  return out;
}

}  // namespace carat
