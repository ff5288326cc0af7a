#pragma once

#include <fmt/ranges.h>

#include <filesystem>
#include <string>
#include <vector>

#include "reel/base/error.h"

namespace reel::weights {

/// Faults of one file or folder, told together; after twenty only how many.
class Faults {
 public:
  void add(std::string fault) {
    if (++count_ <= kTold) told_.push_back(std::move(fault));
  }

  /// Throws Error(BadModel) if there were any.
  void raise(const std::filesystem::path& where) const {
    if (count_ == 0) return;
    throw Error(ErrorCode::BadModel,
                fmt::format("{}: {}{}", where.string(), fmt::join(told_, "; "),
                            count_ > kTold ? fmt::format("; and {} more", count_ - kTold) : ""));
  }

 private:
  static constexpr size_t kTold = 20;
  std::vector<std::string> told_;
  size_t count_ = 0;
};

}  // namespace reel::weights
