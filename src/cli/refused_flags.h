#pragma once

#include <deque>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace reel::cli {

/// SGLang's flags that this program knows but cannot honour: each is refused with a sentence,
/// unless its value asks for nothing.
class RefusedFlags {
 public:
  explicit RefusedFlags(CLI::App& app);

  /// After parsing. Throws Error(InvalidArgument) for the first that asks for something.
  void check() const;

 private:
  struct Given {
    const struct RefusedFlag* flag;
    std::vector<std::string> values;
    bool seen = false;
  };
  std::deque<Given> given_;
};

}  // namespace reel::cli
