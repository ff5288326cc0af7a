#include "reel/nn/attention.h"

#include <ATen/ATen.h>

namespace reel::nn {

at::Tensor attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd, const at::Tensor& v_BTHd) {
  return at::scaled_dot_product_attention(q_BSHd.transpose(1, 2), k_BTHd.transpose(1, 2),
                                          v_BTHd.transpose(1, 2))
      .transpose(1, 2);
}

}  // namespace reel::nn
