#pragma once

#include <string_view>

namespace reel::http {

/// This API as an OpenAPI 3.1 document: openapi.json.in.
extern const std::string_view kOpenApi;

}  // namespace reel::http
