#include "base/memory_info.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace carat {
namespace {

// The number behind "name:" in a file of /proc, in bytes; 0 if absent.
uint64_t ReadKilobytes(const char* path, const char* name) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return 0;
  char line[256];
  uint64_t found = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    char key[64];
    unsigned long long value;
    if (std::sscanf(line, "%63[^:]: %llu", key, &value) == 2 &&
        std::strcmp(key, name) == 0) {
      found = static_cast<uint64_t>(value) * 1024;
      break;
    }
  }
  std::fclose(file);
  return found;
}

// A single number in a cgroup file; 0 if absent or "max".
uint64_t ReadNumber(const char* path) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return 0;
  unsigned long long value = 0;
  const int read = std::fscanf(file, "%llu", &value);
  std::fclose(file);
  return read == 1 ? value : 0;
}

}  // namespace

uint64_t HugeBytesIn(std::span<const uint8_t> memory) {
  std::FILE* file = std::fopen("/proc/self/smaps", "r");
  if (file == nullptr) return 0;
  const auto begin = reinterpret_cast<uintptr_t>(memory.data());
  const uintptr_t end = begin + memory.size();
  char line[512];
  bool inside = false;
  uint64_t bytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    uintptr_t low, high;
    char key[64];
    unsigned long long kib;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &low, &high) == 2) {
      inside = low < end && begin < high;
    } else if (inside && std::sscanf(line, "%63[^:]: %llu", key, &kib) == 2 &&
               (std::strcmp(key, "AnonHugePages") == 0 ||
                std::strcmp(key, "FilePmdMapped") == 0)) {
      bytes += static_cast<uint64_t>(kib) * 1024;
    }
  }
  std::fclose(file);
  return std::min<uint64_t>(bytes, memory.size());
}

MemoryInfo ReadMemoryInfo() {
  MemoryInfo info;
  info.total = ReadKilobytes("/proc/meminfo", "MemTotal");
  info.available = ReadKilobytes("/proc/meminfo", "MemAvailable");
  const uint64_t limit = ReadNumber("/sys/fs/cgroup/memory.max");
  if (limit > 0 && limit < info.total) {
    const uint64_t used = ReadNumber("/sys/fs/cgroup/memory.current");
    info.total = limit;
    info.available = std::min(info.available, limit > used ? limit - used : 0);
  }
  info.resident = ReadKilobytes("/proc/self/status", "VmRSS");
  info.peak = ReadKilobytes("/proc/self/status", "VmHWM");
  info.resident_anonymous = ReadKilobytes("/proc/self/status", "RssAnon");
  return info;
}

}  // namespace carat
