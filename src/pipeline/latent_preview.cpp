#include "latent_preview.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

namespace reel::pipeline {

LatentPreview::LatentPreview(const models::WanVaeDecoder& vae, int64_t channels,
                             at::Device device) {
  const int64_t unknowns = channels + 1;
  const auto side = static_cast<int64_t>(std::ceil(std::sqrt(12.0 * double(unknowns))));
  const auto noise = at::randn({1, channels, 1, side, side}, at::detail::createCPUGenerator(0),
                               at::TensorOptions().dtype(at::kFloat));
  models::DecoderCache cache;
  const auto frame = vae.decode_frame(vae.denormalise(noise.to(device)), cache);
  const auto colours = at::adaptive_avg_pool2d(frame.select(2, 0), {side, side});

  const auto in_rows = [&](const at::Tensor& x_1Nhw) {
    return x_1Nhw.to(at::kCPU, at::kDouble).flatten(2)[0].t();
  };
  const auto x = at::pad(in_rows(noise.select(2, 0)), {0, 1}, "constant", 1.0);
  constexpr double kRidge = 0.01;
  const auto square = x.t().mm(x) / x.size(0) + kRidge * at::eye(unknowns, x.options());
  const auto map = at::linalg_solve(square, x.t().mm(in_rows(colours)) / x.size(0));
  const auto bytes = (map * 127.5).to(device, at::kFloat);  // of colours in -1…1
  weight_C3_ = bytes.narrow(0, 0, channels).contiguous();
  bias_3_ = bytes[channels] + 127.5;
}

at::Tensor LatentPreview::rgb(const at::Tensor& latents_1CThw) const {
  const auto middle_Chw = latents_1CThw[0].select(1, latents_1CThw.size(2) / 2).to(at::kFloat);
  const auto rgb_hw3 = at::matmul(middle_Chw.permute({1, 2, 0}), weight_C3_) + bias_3_;
  return rgb_hw3.round().clamp(0, 255).to(at::kByte);
}

}  // namespace reel::pipeline
