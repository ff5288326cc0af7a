#include "relative_position.h"

#include <ATen/ATen.h>

#include <cmath>

namespace reel::models {

at::Tensor relative_buckets(const at::Tensor& distances, const config::Umt5Config& config) {
  const int64_t one_way = config.relative_attention_num_buckets / 2;
  const int64_t exact = one_way / 2;
  const double range = std::log(static_cast<double>(config.relative_attention_max_distance) /
                                static_cast<double>(exact));
  const at::Tensor far = distances.abs();
  // fp32, then cut off: at a border between two buckets the last bit decides.
  const at::Tensor steps = at::log(far.to(at::kFloat) / exact) / range * (one_way - exact);
  const at::Tensor large = (exact + steps.to(at::kLong)).clamp_max(one_way - 1);
  return (distances > 0).to(at::kLong) * one_way + at::where(far < exact, far, large);
}

at::Tensor relative_bias(const at::Tensor& table_NH, const at::Tensor& buckets) {
  const int64_t length = (buckets.size(0) + 1) / 2;
  const at::Tensor by_distance = table_NH.index_select(0, buckets).t().contiguous();
  // Query i sees the window that begins at distance -i: the last window belongs to query 0.
  return by_distance.unfold(1, length, 1).flip(1).unsqueeze(0);
}

}  // namespace reel::models
