#pragma once

#include <sys/resource.h>

namespace reel::test {

/// A limit of this process, as setrlimit(2) names them, until the test is over.
class ResourceLimit {
 public:
  ResourceLimit(int resource, rlim_t most) : resource_(resource) {
    getrlimit(kind(), &before_);
    const rlimit limit{most, before_.rlim_max};
    setrlimit(kind(), &limit);
  }
  ~ResourceLimit() { setrlimit(kind(), &before_); }
  ResourceLimit(const ResourceLimit&) = delete;
  ResourceLimit& operator=(const ResourceLimit&) = delete;

 private:
  __rlimit_resource kind() const { return static_cast<__rlimit_resource>(resource_); }

  int resource_;
  rlimit before_{};
};

}  // namespace reel::test
