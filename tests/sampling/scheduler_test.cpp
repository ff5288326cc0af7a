#include "reel/sampling/scheduler.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "golden.h"
#include "reel/base/error.h"

namespace reel::sampling {
namespace {

using test::Golden;

config::SchedulerConfig config_of(const Golden& golden) {
  const auto json = nlohmann::json::parse(golden.metadata("config"));
  config::SchedulerConfig config;
  config.class_name = json.at("_class_name");
  config.num_train_timesteps = json.at("num_train_timesteps");
  if (const auto end = json.find("shift_terminal"); end != json.end() && !end->is_null()) {
    config.shift_terminal = end->get<double>();
  }
  config.shift = json.value("shift", config.shift);
  config.flow_shift = json.value("flow_shift", config.flow_shift);
  config.solver_order = json.value("solver_order", config.solver_order);
  config.solver_type = json.value("solver_type", config.solver_type);
  config.lower_order_final = json.value("lower_order_final", config.lower_order_final);
  config.disable_corrector = json.value("disable_corrector", config.disable_corrector);
  config.final_sigmas_type = json.value("final_sigmas_type", config.final_sigmas_type);
  return config;
}

std::unique_ptr<Scheduler> scheduler_of(const Golden& golden) {
  return make_scheduler(config_of(golden), std::stoi(golden.metadata("num_inference_steps")));
}

/// The samples after each step, [steps, 1, C, T, H, W].
at::Tensor run(const Scheduler& scheduler, at::Tensor sample, const at::Tensor& outputs) {
  std::vector<at::Tensor> samples;
  History history;
  for (int i = 0; i < scheduler.steps(); ++i) {
    sample = scheduler.step(outputs[i], sample, i, history);
    samples.push_back(sample);
  }
  return at::stack(samples);
}

at::Tensor run(const Scheduler& scheduler, const Golden& golden) {
  return run(scheduler, golden["in.sample"], golden["out.model_outputs"]);
}

double error_of(const at::Tensor& samples, const Golden& golden) {
  return test::relative_l2(samples, golden["out.samples"]);
}

class Schedules : public testing::TestWithParam<const char*> {};

TEST_P(Schedules, AreThoseOfDiffusers) {
  const Golden golden(GetParam());
  const auto scheduler = scheduler_of(golden);
  EXPECT_TRUE(at::equal(scheduler->timesteps(), golden.host("out.timesteps")))
      << scheduler->timesteps();
  EXPECT_TRUE(at::equal(scheduler->sigmas(), golden.host("out.sigmas"))) << scheduler->sigmas();
  ASSERT_EQ(run(*scheduler, golden).scalar_type(), golden["out.samples"].scalar_type());
  // A GPU may round a factor on the host otherwise before it multiplies in bf16.
  const bool half = golden.host("out.model_outputs").scalar_type() == at::kBFloat16;
  EXPECT_LT(error_of(run(*scheduler, golden), golden), test::bound(1e-6, half ? 5e-3 : 1e-5));
}

TEST_P(Schedules, GoOnAfterAPause) {
  const Golden golden(GetParam());
  const auto scheduler = scheduler_of(golden), resumed = scheduler_of(golden);
  const at::Tensor expected = run(*scheduler, golden), outputs = golden["out.model_outputs"];
  for (int pause = 1; pause < std::min(scheduler->steps(), 5); ++pause) {
    History history, abandoned;
    at::Tensor sample = golden["in.sample"];
    for (int i = 0; i < scheduler->steps(); ++i) {
      if (i == pause) {
        // What is done with a copy, or with the original after it, must not reach the other.
        abandoned = history;
        history = history.to(at::kCPU).to(test::device());
        scheduler->step(outputs[0], sample, i, abandoned);
      }
      sample = (i < pause ? scheduler : resumed)->step(outputs[i], sample, i, history);
    }
    EXPECT_TRUE(at::equal(sample, expected[-1])) << "pause before step " << pause;
  }
}

INSTANTIATE_TEST_SUITE_P(
    UniPC, Schedules,
    testing::Values("unipc-n2-shift1", "unipc-n2-shift3", "unipc-n2-shift5", "unipc-n2-shift12",
                    "unipc-n4-shift1", "unipc-n4-shift3", "unipc-n4-shift5", "unipc-n4-shift12",
                    "unipc-n10-shift1", "unipc-n10-shift3", "unipc-n10-shift5", "unipc-n10-shift12",
                    "unipc-n50-shift1", "unipc-n50-shift3", "unipc-n50-shift5", "unipc-n50-shift12",
                    "unipc-order1", "unipc-order3", "unipc-order3-n50", "unipc-sigma-min",
                    "unipc-bh1", "unipc-bh1-order3", "unipc-shift-terminal", "unipc-no-lower-order",
                    "unipc-bf16", "unipc-no-corrector", "unipc-some-corrector"));
INSTANTIATE_TEST_SUITE_P(Euler, Schedules,
                         testing::Values("euler-n1-shift1", "euler-n1-shift5", "euler-n1-shift7",
                                         "euler-n4-shift1", "euler-n4-shift5", "euler-n4-shift7",
                                         "euler-n8-shift1", "euler-n8-shift5", "euler-n8-shift7",
                                         "euler-n50-shift1", "euler-n50-shift5", "euler-n50-shift7",
                                         "euler-bf16"));

/// The published steps of LightX2V's models, beside Diffusers' of the same sigmas.
TEST(FewEulerSteps, AreThoseOfDiffusers) {
  const Golden golden("euler-sigmas");
  const auto scheduler = make_euler_scheduler({1000, 750, 500, 250}, 5, 1000);
  EXPECT_TRUE(at::equal(scheduler->timesteps(), golden.host("out.timesteps")));
  EXPECT_TRUE(at::equal(scheduler->sigmas(), golden.host("out.sigmas")));
  EXPECT_LT(error_of(run(*scheduler, golden), golden), test::bound(1e-6, 1e-5));
}

TEST(FewEulerSteps, AreShiftedOnce) {
  const at::Tensor sigmas = make_euler_scheduler({1000, 750, 500, 250}, 5, 1000)->sigmas();
  const at::Tensor expected = at::tensor({1.0, 15. / 16, 5. / 6, 5. / 8, 0.0}).to(at::kFloat);
  EXPECT_TRUE(at::allclose(sigmas, expected, 0, 1e-7)) << sigmas;
  config::SchedulerConfig twice;
  twice.class_name = "FlowMatchEulerDiscreteScheduler";
  EXPECT_GT((make_scheduler(twice, 4, 5)->sigmas() - expected).abs().max().item<float>(), 0.5);
}

// What a golden would not notice, it does not test.

TEST(ScheduleTwins, AnotherShiftIsSeen) {
  for (const char* name : {"unipc-n10-shift3", "euler-n8-shift5"}) {
    const Golden golden(name);
    const auto twin =
        make_scheduler(config_of(golden), std::stoi(golden.metadata("num_inference_steps")), 3.3);
    EXPECT_FALSE(at::equal(twin->timesteps(), golden.host("out.timesteps")));
    EXPECT_GT(error_of(run(*twin, golden), golden), 1e-3) << name;
  }
}

TEST(ScheduleTwins, OneStepOffIsSeen) {
  for (const char* name : {"unipc-n10-shift3", "euler-n8-shift5"}) {
    const Golden golden(name);
    const at::Tensor late = golden["out.model_outputs"].roll(1, 0);
    EXPECT_GT(error_of(run(*scheduler_of(golden), golden["in.sample"], late), golden), 1e-3)
        << name;
  }
}

TEST(ScheduleTwins, AMissingCorrectorIsSeen) {
  const Golden golden("unipc-n10-shift3");
  config::SchedulerConfig config = config_of(golden);
  for (int off : {0, 4, 7}) {
    config.disable_corrector = {off};
    EXPECT_GT(error_of(run(*make_scheduler(config, 10), golden), golden), 1e-4) << off;
  }
}

TEST(ScheduleTwins, AnotherOrderOrSolverIsSeen) {
  const Golden golden("unipc-order3");
  config::SchedulerConfig config = config_of(golden);
  config.solver_order = 2;
  EXPECT_GT(error_of(run(*make_scheduler(config, 10), golden), golden), 1e-4);
  config.solver_order = 3;
  config.solver_type = "bh1";
  EXPECT_GT(error_of(run(*make_scheduler(config, 10), golden), golden), 1e-4);
}

TEST(ScheduleTwins, AnUnroundedVelocityIsSeen) {
  for (const char* name : {"unipc-bf16", "euler-bf16"}) {
    const Golden golden(name);
    const at::Tensor v = golden["out.model_outputs"];
    ASSERT_EQ(v.scalar_type(), at::kBFloat16);
    const at::Tensor twin = run(*scheduler_of(golden), golden["in.sample"], v.to(at::kFloat));
    EXPECT_GT(error_of(twin, golden), 1e-5) << name;
  }
}

TEST(Schedules, WithBh1EndInTheLastPrediction) {
  config::SchedulerConfig config;
  config.solver_type = "bh1";
  const auto scheduler = make_scheduler(config, 4, 3);
  const auto v = at::linspace(-1, 1, 24).view({1, 2, 3, 2, 2});
  at::Tensor x = v.cos();
  History history;
  for (int i = 0; i < 4; ++i) x = scheduler->step(v * (i + 1), x, i, history);
  EXPECT_TRUE(at::equal(x, history.model_outputs.back()));
  EXPECT_TRUE(at::isfinite(x).all().item<bool>());
}

TEST(Schedules, OfOneStepHaveNothingToStretch) {
  for (const char* name : {"UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"}) {
    config::SchedulerConfig config;
    config.class_name = name;
    config.shift_terminal = 0.1;
    EXPECT_NEAR(make_scheduler(config, 1)->sigmas()[0].item<double>(), 1, 1e-3) << name;
    EXPECT_NEAR(make_scheduler(config, 4)->sigmas()[3].item<double>(), 0.1, 1e-6) << name;
  }
}

TEST(Schedules, RefuseWhatCannotBe) {
  const auto message = [](const config::SchedulerConfig& config, int steps,
                          std::optional<double> shift) -> std::string {
    try {
      make_scheduler(config, steps, shift);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  config::SchedulerConfig config;
  EXPECT_EQ(message(config, 0, {}), "num_inference_steps: expected 1 to 1000, got 0");
  EXPECT_EQ(message(config, 4, -1), "flow_shift: expected a positive number, got -1");
  config.class_name = "DDIMScheduler";
  EXPECT_THAT(message(config, 4, {}), testing::HasSubstr("got DDIMScheduler"));
}

}  // namespace
}  // namespace reel::sampling
