#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reel/base/error.h"
#include "reel/gen/request_json.h"

namespace reel::gen {
namespace {

using testing::ElementsAre;

TEST(ParseVideo, MergesTheWrappers) {
  EXPECT_EQ(parse_video_request({{"extra_body", {{"webhook_url", "http://a/"}}}}).webhook_url,
            "http://a/");
  // extra_body and extra_json override, extra_params only fills.
  const auto [request, priority, timeout, webhook, model, unknown] = parse_video_request(
      {{"prompt", "outer"},
       {"seed", 1},
       {"fps", 8},
       {"num_frames", nullptr},
       {"extra_body", {{"prompt", "inner"}, {"seed", 2}}},
       {"extra_json", R"({"guidance_scale": 3})"},
       {"extra_params", R"({"fps": 30, "num_frames": 9, "num_inference_steps": 6, "odd": 1})"}});
  EXPECT_EQ(request.prompt, "inner");
  EXPECT_THAT(request.seeds, ElementsAre(2));
  EXPECT_EQ(request.guidance_scale, 3);
  EXPECT_EQ(request.fps, 8);
  EXPECT_EQ(request.num_frames, 9);
  EXPECT_EQ(request.num_inference_steps, 6);
  EXPECT_THAT(unknown, ElementsAre("odd"));
}

TEST(ParseVideo, MergesWrappersInWrappers) {
  EXPECT_EQ(parse_video_request({{"extra_body", {{"extra_params", {{"fps", 8}}}}}}).request.fps, 8);
  EXPECT_EQ(parse_video_request({{"extra_body", R"({"extra_args": "{\"fps\": 9}"})"}}).request.fps,
            9);
}

TEST(ParseVideo, LosesNoFieldOfAnyWrapper) {
  const auto request = parse_video_request({{"extra_params", {{"fps", 8}}},
                                            {"extra_body", {{"extra_params", {{"seed", 1}}}}}})
                           .request;
  EXPECT_EQ(request.fps, 8);
  EXPECT_THAT(request.seeds, ElementsAre(1));
}

TEST(ParseVideo, AsksForNothingWithNothing) {
  for (const char* nothing : {"{}", "[]", "null", "false", "False", " ", ""}) {
    EXPECT_NO_THROW(parse_video_request({{"diffusers_kwargs", nothing}})) << nothing;
  }
  EXPECT_THROW(parse_video_request({{"diffusers_kwargs", "{\"a\": 1}"}}), Error);
  EXPECT_THROW(parse_video_request({{"lora_path", "a"}}), Error);
}

TEST(ParseVideo, ReadsPythonsTexts) {
  const auto wrapped = [](const char* text) {
    return parse_video_request({{"prompt", "outer"}, {"extra_body", text}}).request;
  };
  EXPECT_THAT(wrapped("{'seed': 9}").seeds, ElementsAre(9));
  EXPECT_THAT(wrapped("{'seed': [1, 2], 'style': None, 'profile': False}").seeds,
              ElementsAre(1, 2));
  EXPECT_EQ(wrapped(R"({'prompt': 'a "None" True', 'fps': 8})").prompt, R"(a "None" True)");
  EXPECT_EQ(wrapped(R"({'prompt': "it's", 'user': 'it\'s'})").prompt, "it's");
  EXPECT_EQ(wrapped(R"({'prompt': 'a\\b'})").prompt, R"(a\b)");
  EXPECT_THROW(wrapped("{'seed': 9"), Error);
  EXPECT_THROW(wrapped("{'seed"), Error);
}

}  // namespace
}  // namespace reel::gen
