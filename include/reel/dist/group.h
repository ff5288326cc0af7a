#pragma once

namespace reel::dist {

/// One rank's end of a group of ranks that communicate. Passed as an argument, never a global.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// True on every rank if `mine` is true on any: how a branch is agreed before it is taken.
  virtual bool any(bool mine) = 0;
};

/// A rank on its own.
class SoloGroup final : public Group {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  bool any(bool mine) override { return mine; }
};

}  // namespace reel::dist
