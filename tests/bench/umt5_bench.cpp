// Encodings of one prompt; the size is its number of tokens.

#include <ATen/ATen.h>

#include "bench.h"
#include "reel/models/umt5.h"

namespace reel::bench {
namespace {

class Umt5Bench final : public Bench {
 public:
  explicit Umt5Bench(const Setup& setup)
      : config_(config::read_umt5_config(setup.config)),
        params_(setup.device, setup.dtype),
        encoder_(weights::ParamScope(params_), config_) {
    for (int64_t i = 0; i < setup.sizes.front(); ++i) ids_.push_back(2 + i % 97);
  }

  weights::ParamSet& params() override { return params_; }

  Measured run(int count, bool /*guided*/) override {
    return repeat(count, params_.device(),
                  [&] { return encoder_.encode_prompt(ids_, 512, resident_); });
  }

 private:
  config::Umt5Config config_;
  weights::ParamSet params_;
  models::Umt5Encoder encoder_;
  residency::ResidentBlocks resident_;
  std::vector<int64_t> ids_;
};

}  // namespace
}  // namespace reel::bench

int main(int count, char** arguments) {
  return reel::bench::main_of<reel::bench::Umt5Bench>(count, arguments);
}
