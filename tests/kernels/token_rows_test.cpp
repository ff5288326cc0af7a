#include "token_rows.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <thread>

#include "reel/kernels/norms.h"

/// What a GPU's threads do, done by threads of the CPU: everything but the launch.
namespace reel::kernels {
namespace {

constexpr int kThreads = 4;

struct Team {
  std::barrier<> barrier{kThreads};
  float parts[kThreads] = {};
};

struct Block {
  int thread, threads;
  Team& team;

  float sum(float value) {
    team.parts[thread] = value;
    team.barrier.arrive_and_wait();
    float sum = 0;
    for (const float part : team.parts) sum += part;
    team.barrier.arrive_and_wait();
    return sum;
  }
};

template <class T, int Held, class Work>
void run_as_gpu(const Work& work) {
  Team team;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      Block block{thread, kThreads, team};
      for (int64_t n = 0; n < work.tokens; ++n) gpu::run<T, Held>(work, n, block);
    });
  }
}

template <class Work>
void run_as_gpu(const Work& work, at::ScalarType dtype) {
  ASSERT_LE(work.width, 4 * kThreads * gpu::kVector);
  const bool one = work.width <= kThreads * gpu::kVector;
  if (dtype == at::kFloat) {
    one ? run_as_gpu<float, 1>(work) : run_as_gpu<float, 4>(work);
  } else {
    one ? run_as_gpu<Bf16, 1>(work) : run_as_gpu<Bf16, 4>(work);
  }
}

class TokenRows : public testing::TestWithParam<std::tuple<int64_t, at::ScalarType>> {
 protected:
  int64_t B = 2, S = 5, D = std::get<0>(GetParam());
  at::ScalarType dtype = std::get<1>(GetParam());
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(11);

  at::Tensor random(std::vector<int64_t> sizes) { return at::randn(sizes, generator); }
  at::Tensor tokens() { return (random({B, S, D}) * 2 + 0.5).to(dtype); }
  at::Tensor unwritten() { return at::full({B, S, D}, NAN, dtype); }

  void expect_same(const at::Tensor& a, const at::Tensor& b) {
    const double relative =
        ((a - b).to(at::kDouble).norm() / b.to(at::kDouble).norm()).item<double>();
    EXPECT_LE(relative, dtype == at::kFloat ? 1e-6 : 1e-3);
  }
};

TEST_P(TokenRows, ChainIsItsTwin) {
  const auto x = tokens(), y = tokens(), row_of = at::randint(0, 3, {B, S}, at::kLong);
  const auto rows = random({3, 6, D});  // as a model's modulation lies
  const auto shift = rows.select(1, 0), scale = rows.select(1, 1), gate = rows.select(1, 2);
  const auto table = [&](const at::Tensor& r) {
    return RowTable{r.const_data_ptr<float>(), row_of.const_data_ptr<int64_t>(), r.stride(0)};
  };
  const auto sum = unwritten(), normed = unwritten();
  Chain c{.x = x.data_ptr(),
          .y = y.data_ptr(),
          .gate = table(gate),
          .scale = table(scale),
          .shift = table(shift),
          .eps = 1e-6F,
          .sum = sum.data_ptr(),
          .normed = normed.data_ptr(),
          .tokens = B * S,
          .width = D};
  run_as_gpu(c, dtype);
  const Sum twin = plain::add_and_norm(x, y, gate, {scale, shift}, row_of, 1e-6);
  EXPECT_TRUE(at::equal(sum, twin.x_BSD));
  expect_same(normed, twin.normed_BSD);

  c.gate = {};
  run_as_gpu(c, dtype);
  EXPECT_TRUE(at::equal(sum, at::add(x, y)));

  c.y = nullptr;
  run_as_gpu(c, dtype);
  expect_same(normed, plain::layer_norm(x, {scale, shift}, row_of, 1e-6));
}

TEST_P(TokenRows, RunsOfTokensShareARow) {
  const auto x = tokens(), scale = random({B, D}), shift = random({B, D}), normed = unwritten();
  Chain c;
  c.x = x.data_ptr(), c.normed = normed.data_ptr(), c.tokens = B * S, c.width = D;
  c.scale = {scale.const_data_ptr<float>(), nullptr, D, S};
  c.shift = {shift.const_data_ptr<float>(), nullptr, D, S};
  run_as_gpu(c, dtype);
  expect_same(normed, plain::layer_norm(x, {scale, shift}, {}, 0));
}

TEST_P(TokenRows, TurnIsItsTwin) {
  const int64_t R = D % 24 == 0 ? 12 : 4;  // half a head
  const auto x = tokens(), weight = random({D}).to(dtype).to(at::kFloat), angles = random({S, R});
  const auto cos = at::cos(angles), sin = at::sin(angles), out = unwritten();
  Turn t{x.data_ptr(),
         weight.const_data_ptr<float>(),
         cos.const_data_ptr<float>(),
         sin.const_data_ptr<float>(),
         1e-6F,
         out.data_ptr(),
         B * S,
         D,
         S,
         R};
  run_as_gpu(t, dtype);
  expect_same(out, plain::rms_norm_rope(x, weight.to(dtype), 1e-6, cos, sin));

  t.half = 0;
  run_as_gpu(t, dtype);
  expect_same(out, plain::rms_norm(x, weight.to(dtype), 1e-6));
}

INSTANTIATE_TEST_SUITE_P(Widths, TokenRows,
                         testing::Combine(testing::Values(8, 24, 32, 72, 128),
                                          testing::Values(at::kFloat, at::kBFloat16)));

}  // namespace
}  // namespace reel::kernels
