// Which hub is asked, and with which token: the environment of Hugging Face's
// own tools holds here, too.
#ifndef CARAT_STORE_HUB_ENDPOINT_H_
#define CARAT_STORE_HUB_ENDPOINT_H_

#include <string>

#include "base/status.h"
#include "store/roots.h"

namespace carat {

struct HubEndpoint {
  std::string url;    // without a slash at its end
  std::string token;  // never in messages; may be empty
};

// HF_ENDPOINT, else Hugging Face. Token: HF_TOKEN, HUGGING_FACE_HUB_TOKEN, the
// file HF_TOKEN_PATH, or "token" under HF_HOME or ~/.cache/huggingface.
Result<HubEndpoint> ReadHubEndpoint(const EnvLookup& env = ProcessEnv);

}  // namespace carat

#endif  // CARAT_STORE_HUB_ENDPOINT_H_
