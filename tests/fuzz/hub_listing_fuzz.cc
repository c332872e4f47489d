// What a hub answers and what a record of carat's folder says: no input may
// name a file outside its folder, and records survive being written.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "store/hub/hub_path.h"
#include "store/hub/listing.h"
#include "store/hub/model_name.h"
#include "store/hub/select_files.h"
#include "store/pulled.h"

namespace {

void CheckPath(const std::string& path) {
  CARAT_CHECK(carat::IsSafeHubPath(path));
  CARAT_CHECK(!path.starts_with("/") && !path.starts_with("."));
  CARAT_CHECK(path.find("/.") == std::string::npos);
}

void CheckListing(std::string_view text) {
  const auto listing = carat::ReadHubListing(text);
  if (!listing.ok()) {
    CARAT_CHECK(carat::IsValidUtf8(listing.status().message()));
    return;
  }
  for (const carat::HubFile& file : listing->files) CheckPath(file.path);
  for (const char* selector : {"", "q4_0", "m.gguf"}) {
    const auto chosen =
        carat::SelectFiles(*listing, selector, carat::Projector::kInclude);
    if (!chosen.ok()) continue;
    CARAT_CHECK(!chosen->files.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckListing(text);
  const auto record = carat::ReadRecord(text);
  if (record.ok()) {
    CheckPath(record->folder);
    for (const carat::PulledFile& file : record->files) CheckPath(file.path);
    const std::string written = carat::WriteRecord(*record);
    const auto again = carat::ReadRecord(written);
    CARAT_CHECK(again.ok());
    CARAT_CHECK(carat::WriteRecord(*again) == written);
  }
  const auto name = carat::ParseHubName(text);
  if (name.ok()) {
    CARAT_CHECK(name->repository.find("..") == std::string::npos);
    CARAT_CHECK(name->selector.empty() || carat::IsSafeHubPath(name->selector));
  }
  return 0;
}
