#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace reel {

enum class ErrorCode {
  InvalidArgument,  // the caller asked for something that cannot be
  NotFound,
  Gone,          // was there, and was removed
  Conflict,      // not in this state
  TooLarge,      // a limit on size was passed
  Unsupported,   // a kind of input that is not understood
  Unauthorized,  // no key, or a wrong one
  QueueFull,     // come back later
  Unavailable,   // loading, draining or failed
  OutOfMemory,   // the device's
  StorageFull,   // the disk's
  BadModel,      // a model's folder: a file missing, broken or unfit
  Cancelled,
  Internal,
};

/// The only exception type this program throws.
///
/// `param` names the request field, flag or config key at fault, or is empty.
/// A message states the subject, what was expected, what was found, and where.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, std::string param = {})
      : std::runtime_error(message), code_(code), param_(std::move(param)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& param() const noexcept { return param_; }

 private:
  ErrorCode code_;
  std::string param_;
};

/// Throws Error(InvalidArgument) unless `holds`: for what a caller can get wrong.
inline void require(bool holds, const std::string& message, const std::string& param = {}) {
  if (!holds) throw Error(ErrorCode::InvalidArgument, message, param);
}

}  // namespace reel
