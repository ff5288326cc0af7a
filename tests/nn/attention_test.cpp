#include "reel/nn/attention.h"

#include <ATen/ATen.h>

#include <cmath>

#include "golden.h"

namespace reel::nn {
namespace {

at::Tensor random(at::IntArrayRef shape) { return at::randn(shape, test::device()); }

TEST(Attention, IsSoftmaxOverTheTokensOfEachHead) {
  const int64_t B = 2, S = 7, T = 5, H = 3, d = 10;
  const auto q = random({B, S, H, d}), k = random({B, T, H, d}), v = random({B, T, H, d});
  const auto weights_BHST = at::softmax(
      at::einsum("bshd,bthd->bhst", {q.to(at::kDouble), k.to(at::kDouble)}) / std::sqrt(d), -1);
  const auto expected = at::einsum("bhst,bthd->bshd", {weights_BHST, v.to(at::kDouble)});
  EXPECT_LT(test::relative_l2(attention(q, k, v), expected), test::bound(1e-6));
}

TEST(Attention, IsTheSameOverManyKeysInBf16) {
  const auto q = random({1, 300, 2, 128}).to(at::kBFloat16);
  const auto k = random({1, 2100, 2, 128}).to(at::kBFloat16);
  const auto expected = attention(q.to(at::kFloat), k.to(at::kFloat), k.to(at::kFloat));
  EXPECT_LT(test::relative_l2(attention(q, k, k), expected), 6e-3);
}

TEST(Attention, GivesItsResultByTokenInMemory) {
  const auto q = random({1, 40, 2, 64});
  EXPECT_TRUE(attention(q, q, q).is_contiguous());
}

}  // namespace
}  // namespace reel::nn
