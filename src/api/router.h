// All protocols behind one door: each request goes to the one whose path it
// names.
#ifndef CARAT_API_ROUTER_H_
#define CARAT_API_ROUTER_H_

#include <memory>

#include "api/http.h"
#include "api/model_host.h"
#include "api/options.h"

namespace carat {

// Thread-safe: Handle runs on as many threads as there are requests.
class Api {
 public:
  // `host` outlives the Api.
  Api(ModelHost* host, ApiOptions options);
  ~Api();

  // Answers one request completely. Paths that no protocol knows get a 404.
  void Handle(const HttpRequest& request, HttpReply* reply);

 private:
  struct Protocols;
  std::unique_ptr<Protocols> protocols_;
};

}  // namespace carat

#endif  // CARAT_API_ROUTER_H_
