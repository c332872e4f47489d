// Which files of a repository make up the model that was asked for.
#ifndef CARAT_STORE_HUB_SELECT_FILES_H_
#define CARAT_STORE_HUB_SELECT_FILES_H_

#include <string>
#include <vector>

#include "base/status.h"
#include "store/hub/listing.h"

namespace carat {

enum class Projector { kInclude, kLeaveOut };

struct Selection {
  std::vector<HubFile> files;  // in the order of downloading
  std::string model;           // path to open: a GGUF; empty: the whole folder
  std::string quantisation;    // "Q4_0" when a name says it
  // Nothing else in the repository has this quantisation.
  bool quantisation_is_unique = false;
  std::string base;  // the GGUF's name without end and part number
};

// `selector`: a quantisation ("q4_0"), a file with or without its folder and
// end, or empty. GGUF is preferred to safetensors. Errors: kNotFound with what
// there is.
Result<Selection> SelectFiles(const HubListing& listing,
                              const std::string& selector, Projector projector);

}  // namespace carat

#endif  // CARAT_STORE_HUB_SELECT_FILES_H_
