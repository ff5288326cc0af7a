// Decodes of a VAE; sizes are frames, rows and columns of the latents.

#include <ATen/ATen.h>

#include "bench.h"
#include "random_weights.h"
#include "reel/base/error.h"
#include "reel/models/wan_vae.h"

namespace reel::bench {
namespace {

class WanVaeBench final : public Bench {
 public:
  explicit WanVaeBench(const Setup& setup)
      : config_(config::read_wan_vae_config(setup.config)),
        params_(setup.device, setup.dtype),
        vae_(weights::ParamScope(params_), config_),
        shape_{1, config_.z_dim} {
    shape_.insert(shape_.end(), setup.sizes.begin(), setup.sizes.end());
    require(shape_.size() == 5, "expected frames, rows and columns of the latents");
  }

  weights::ParamSet& params() override { return params_; }

  Measured run(int count, bool /*guided*/) override {
    const auto z = random("latents", shape_, params_.device()).to(params_.compute());
    return repeat(count, params_.device(), [&] { return vae_.decode(z); });
  }

 private:
  config::WanVaeConfig config_;
  weights::ParamSet params_;
  models::WanVaeDecoder vae_;
  std::vector<int64_t> shape_;
};

}  // namespace
}  // namespace reel::bench

int main(int count, char** arguments) {
  using namespace reel::bench;
  return main_of(count, arguments, [](const Setup& setup) -> std::unique_ptr<Bench> {
    return std::make_unique<WanVaeBench>(setup);
  });
}
