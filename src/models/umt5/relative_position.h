#pragma once

#include <ATen/core/Tensor.h>

#include "reel/config/umt5_config.h"

namespace reel::models {

/// The bucket, int64, of each distance key - query, int64: small distances have one each, larger
/// ones share them by their logarithm; half of the buckets are for keys that come later.
at::Tensor relative_buckets(const at::Tensor& distances, const config::Umt5Config& config);

/// Bias [1, H, L, L] of query i (dim 2) and key j, out of the table [N, H] by the buckets
/// [2L - 1] of the distances -(L - 1) … L - 1.
at::Tensor relative_bias(const at::Tensor& table_NH, const at::Tensor& buckets);

}  // namespace reel::models
