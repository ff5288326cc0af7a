#include "token_rows.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <thread>

#include "reel/kernels/norms.h"
#include "reel/kernels/rms_silu.h"

/// What a GPU's threads do, done by threads of the CPU: everything but the launch.
namespace reel::kernels {
namespace {

struct Together {
  explicit Together(int threads) : barrier(threads), parts(static_cast<size_t>(threads)) {}
  std::barrier<> barrier;
  std::vector<float> parts;
};

struct Team {
  int thread, threads;
  Together& all;

  float sum(float value) {
    all.parts[static_cast<size_t>(thread)] = value;
    all.barrier.arrive_and_wait();
    float sum = 0;
    for (const float part : all.parts) sum += part;
    all.barrier.arrive_and_wait();
    return sum;
  }
};

template <class T, int Held, class Work>
void run_as_gpu(const Work& work, int count) {
  Together all(count);
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < count; ++thread) {
    threads.emplace_back([&, thread] {
      Team team{thread, count, all};
      for (uint32_t n = 0; n < work.tokens; ++n) gpu::run<T, Held>(work, n, team);
    });
  }
}

template <class T, class Work>
void run_as_gpu(const Work& work) {
  const gpu::TeamSize team = gpu::team_of(work.width);
  switch (team.held) {
    case 2:
      return run_as_gpu<T, 2>(work, team.threads);
    case 3:
      return run_as_gpu<T, 3>(work, team.threads);
    case 4:
      return run_as_gpu<T, 4>(work, team.threads);
    case 5:
      return run_as_gpu<T, 5>(work, team.threads);
    case 6:
      return run_as_gpu<T, 6>(work, team.threads);
    default:
      ASSERT_EQ(team.held, 1);
      run_as_gpu<T, 1>(work, team.threads);
  }
}

template <class Work>
void run_as_gpu(const Work& work, at::ScalarType dtype) {
  dtype == at::kFloat ? run_as_gpu<float>(work) : run_as_gpu<Bf16>(work);
}

TEST(TeamOf, SharesOutVectorsEvenly) {
  const auto is = [](uint32_t width, int threads, int held) {
    const gpu::TeamSize team = gpu::team_of(width);
    EXPECT_EQ(team.threads, threads) << width;
    EXPECT_EQ(team.held, held) << width;
  };
  is(8, 1, 1), is(96, 4, 3), is(192, 8, 3), is(384, 16, 3), is(256, 16, 2), is(1024, 32, 4);
  is(1536, 32, 6), is(3072, 64, 6), is(5120, 128, 5), is(24576, 512, 6);
  for (const uint32_t width : {0, 7, 12, 56, 72, 49152}) is(width, 0, 0);
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
          .tokens = static_cast<uint32_t>(B * S),
          .width = static_cast<uint32_t>(D)};
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
  c.x = x.data_ptr(), c.normed = normed.data_ptr(), c.tokens = static_cast<uint32_t>(B * S);
  c.width = static_cast<uint32_t>(D);
  c.scale = {scale.const_data_ptr<float>(), nullptr, D, static_cast<uint32_t>(S)};
  c.shift = {shift.const_data_ptr<float>(), nullptr, D, static_cast<uint32_t>(S)};
  run_as_gpu(c, dtype);
  expect_same(normed, plain::layer_norm(x, {scale, shift}, {}, 0));
}

TEST_P(TokenRows, TurnIsItsTwin) {
  const int64_t R = D % 24 == 0 ? 12 : 4;  // half a head
  const auto x = tokens(), weight = random({D}).to(dtype).to(at::kFloat), angles = random({S, R});
  const auto cos = at::cos(angles), sin = at::sin(angles), out = unwritten();
  Turn t{.x = x.data_ptr(),
         .weight = weight.const_data_ptr<float>(),
         .cos = cos.const_data_ptr<float>(),
         .sin = sin.const_data_ptr<float>(),
         .eps = 1e-6F,
         .out = out.data_ptr(),
         .tokens = static_cast<uint32_t>(B * S),
         .width = static_cast<uint32_t>(D),
         .sequence = static_cast<uint32_t>(S),
         .half = static_cast<uint32_t>(R)};
  run_as_gpu(t, dtype);
  expect_same(out, plain::rms_norm_rope(x, weight.to(dtype), 1e-6, cos, sin));

  t.half = 0;
  run_as_gpu(t, dtype);
  expect_same(out, plain::rms_norm(x, weight.to(dtype), 1e-6));
}

TEST_P(TokenRows, RmsSiluIsItsTwin) {
  const auto x = tokens(), gamma = random({D}).to(dtype), out = unwritten();
  x[0][0].zero_();
  const RmsSilu r{.x = x.data_ptr(),
                  .gamma = gamma.data_ptr(),
                  .out = out.data_ptr(),
                  .tokens = static_cast<uint32_t>(B * S),
                  .width = static_cast<uint32_t>(D)};
  run_as_gpu(r, dtype);
  expect_same(out, plain::rms_silu(x.to(at::kFloat), gamma.to(at::kFloat)).to(dtype));
  EXPECT_EQ(out[0][0].abs().max().item<float>(), 0);
}

INSTANTIATE_TEST_SUITE_P(Widths, TokenRows,
                         testing::Combine(testing::Values(8, 24, 80, 128, 1024, 1536),
                                          testing::Values(at::kFloat, at::kBFloat16)));

}  // namespace
}  // namespace reel::kernels
