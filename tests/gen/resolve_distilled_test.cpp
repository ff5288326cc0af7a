#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reel/base/error.h"
#include "reel/gen/request_json.h"
#include "reel/gen/resolve.h"

namespace reel::gen {
namespace {

class Distilled : public testing::Test {
 protected:
  Distilled() {
    model.size = {832, 480};
    model.dmd_denoising_steps = {1000, 757, 522};
    model.num_inference_steps = 3;
    model.guidance_scale = 1;
    request.prompt = "a cat";
  }

  std::string refused() const {
    try {
      resolve(request, model);
    } catch (const Error& error) {
      return error.param();
    }
    return "none";
  }

  Description model;
  VideoRequest request;
};

TEST_F(Distilled, HasItsOwnSteps) {
  request.num_inference_steps = 3;
  const auto resolved = resolve(request, model);
  EXPECT_EQ(resolved.num_inference_steps, 3);
  EXPECT_THAT(resolved.dmd_denoising_steps, testing::ElementsAre(1000, 757, 522));
  EXPECT_EQ(resolved_from_json(to_json(resolved)), resolved);
  request.num_inference_steps = 50;
  EXPECT_EQ(refused(), "num_inference_steps");
}

TEST_F(Distilled, ForEulerLikewise) {
  model.dmd_denoising_steps.clear();
  model.denoising_step_list = {1000, 750, 500, 250};
  EXPECT_EQ(refused(), "num_inference_steps");
  request.num_inference_steps = 4;
  const auto resolved = resolve(request, model);
  EXPECT_THAT(resolved.denoising_step_list, testing::ElementsAre(1000, 750, 500, 250));
  EXPECT_EQ(resolved_from_json(to_json(resolved)), resolved);
  request.guidance_scale = 5;
  EXPECT_EQ(refused(), "guidance_scale");
}

TEST_F(Distilled, HasNoGuidance) {
  request.guidance_scale = 1;
  EXPECT_EQ(refused(), "none");
  request.guidance_scale = 5;
  EXPECT_EQ(refused(), "guidance_scale");
  request.guidance_scale.reset();
  model.boundary_ratio = 0.9;
  request.guidance_scale_2 = 3.5;
  EXPECT_EQ(refused(), "guidance_scale_2");
}

}  // namespace
}  // namespace reel::gen
