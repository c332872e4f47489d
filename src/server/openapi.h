// The share of routes that belong to no protocol in the OpenAPI document.
#ifndef CARAT_SERVER_OPENAPI_H_
#define CARAT_SERVER_OPENAPI_H_

#include <vector>

#include "api/openapi.h"

namespace carat {

OpenApiShare OperationsApi();
std::vector<RouteName> OperationsRoutes();

}  // namespace carat

#endif  // CARAT_SERVER_OPENAPI_H_
