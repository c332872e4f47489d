#include "cli/versions.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <sys/utsname.h>

#include <string>

namespace carat {
namespace {

std::string Compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__,
                     __clang_patchlevel__);
#else
  return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__,
                     __GNUC_PATCHLEVEL__);
#endif
}

std::string System() {
  utsname name = {};
  if (uname(&name) != 0) return "unknown";
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

}  // namespace

Json Versions() {
  Json out = Json::MakeObject();
  out.Set("carat", CARAT_VERSION);
  out.Set("compiler", Compiler());
  out.Set("fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000,
                             FMT_VERSION / 100 % 100, FMT_VERSION % 100));
  out.Set("libc", std::string("glibc ") + gnu_get_libc_version());
  out.Set("system", System());
  return out;
}

}  // namespace carat
