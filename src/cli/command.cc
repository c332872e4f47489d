#include "cli/command.h"

#include <string>

#include "cli/terminal.h"

namespace carat {
namespace {

void PrintError(std::string message) {
  // One line, whatever a foreign file has put into a message.
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  PrintNote("carat: " + Red("error") + ": " + message);
}

}  // namespace

int Fail(const Status& status) {
  if (status.code() == StatusCode::kCancelled) return kExitInterrupted;
  PrintError(status.message());
  return kExitError;
}

int FailUsage(const std::string& message) {
  PrintError(message);
  return kExitUsage;
}

}  // namespace carat
