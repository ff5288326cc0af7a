#pragma once

#include <fmt/format.h>

#include "reel/base/error.h"

namespace reel::cli {

/// What `work` does with the file or folder that `flag` names. Where the system refuses that, the
/// flag was wrong: Error(InvalidArgument); a full disk stays one. Either names the flag.
template <class Work>
auto for_flag(const char* flag, const Work& work) try {
  return work();
} catch (const Error& error) {
  const bool wrong = error.code() == ErrorCode::Internal;
  throw Error(wrong ? ErrorCode::InvalidArgument : error.code(),
              fmt::format("{}: {}", flag, error.what()), flag);
}

}  // namespace reel::cli
