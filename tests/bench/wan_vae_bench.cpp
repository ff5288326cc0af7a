// Decodes of a VAE; sizes are frames, rows and columns of the latents.

#include <ATen/ATen.h>

#include "bench.h"
#include "random_weights.h"
#include "reel/models/wan_vae.h"

namespace reel::bench {
namespace {

class WanVaeBench final : public Bench {
 public:
  explicit WanVaeBench(const Setup& setup)
      : config_(config::read_wan_vae_config(setup.config)),
        params_(setup.device, setup.dtype),
        vae_(weights::ParamScope(params_), config_),
        shape_(latents_shape(setup, config_.z_dim)) {}

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
  return reel::bench::main_of<reel::bench::WanVaeBench>(count, arguments);
}
