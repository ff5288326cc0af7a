#pragma once

#include <functional>
#include <utility>

namespace reel::residency {

/// While it lives, one block's weights are on the device.
class Lease {
 public:
  Lease() = default;  // of a resident block: nothing to give back
  explicit Lease(std::function<void()> give_back) : give_back_(std::move(give_back)) {}
  Lease(Lease&& other) noexcept : give_back_(std::exchange(other.give_back_, nullptr)) {}
  Lease& operator=(Lease&& other) noexcept {
    std::swap(give_back_, other.give_back_);
    return *this;
  }
  ~Lease() {
    if (give_back_) give_back_();
  }

 private:
  std::function<void()> give_back_;
};

/// Where the weights of one stack of blocks are.
class Blocks {
 public:
  virtual ~Blocks() = default;

  /// Brings block `index` onto the device; `next` (-1: none) is the one wanted after it.
  virtual Lease acquire(int index, int next) = 0;
};

/// Every block stays on the device.
class ResidentBlocks final : public Blocks {
 public:
  Lease acquire(int /*index*/, int /*next*/) override { return {}; }
};

}  // namespace reel::residency
