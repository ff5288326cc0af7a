#include "error_reply.h"

#include "json_text.h"

namespace reel::http {
namespace {

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument:
      return 400;
    case ErrorCode::Unauthorized:
      return 401;
    case ErrorCode::NotFound:
      return 404;
    case ErrorCode::Conflict:
      return 409;
    case ErrorCode::Gone:
      return 410;
    case ErrorCode::TooLarge:
      return 413;
    case ErrorCode::Unsupported:
      return 415;
    case ErrorCode::QueueFull:
      return 429;
    case ErrorCode::Unavailable:
      return 503;
    case ErrorCode::StorageFull:
      return 507;
    case ErrorCode::OutOfMemory:
    case ErrorCode::BadModel:
    case ErrorCode::Cancelled:
    case ErrorCode::Internal:
      break;
  }
  return 500;
}

const char* type_of(int status) {
  if (status == 401) return "authentication_error";
  if (status == 403) return "permission_error";
  if (status == 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

const char* code_of(int status) {
  switch (status) {
    case 400:
      return "invalid_request";
    case 401:
      return "invalid_api_key";
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 405:
      return "method_not_allowed";
    case 408:
      return "request_timeout";
    case 409:
      return "conflict";
    case 410:
      return "gone";
    case 413:
      return "request_too_large";
    case 414:
      return "uri_too_long";
    case 415:
      return "unsupported_media_type";
    case 412:
      return "precondition_failed";
    case 416:
      return "range_not_satisfiable";
    case 417:
      return "expectation_failed";
    case 429:
      return "queue_full";
    case 431:
      return "headers_too_large";
    case 501:
      return "not_implemented";
    case 503:
      return "unavailable";
    case 505:
      return "http_version_not_supported";
    case 507:
      return "storage_full";
    default:
      return status < 500 ? "invalid_request" : "internal_error";
  }
}

}  // namespace

Reply error_reply(int status, const std::string& message, const std::string& param,
                  const std::string& code) {
  nlohmann::json error = {{"message", message},
                          {"type", type_of(status)},
                          {"param", nullptr},
                          {"code", code.empty() ? code_of(status) : code}};
  if (!param.empty()) error["param"] = param;
  const nlohmann::json body = {{"error", std::move(error)}, {"detail", message}};
  Reply reply;
  reply.status = status;
  reply.body = dumped(body);
  // A client that tries again would only fail again.
  if (status >= 500 && status != 503) reply.headers.emplace_back("x-should-retry", "false");
  return reply;
}

Reply error_reply(const Error& error) {
  return error_reply(status_of(error.code()), error.what(), error.param());
}

}  // namespace reel::http
