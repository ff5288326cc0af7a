#include "reel/gen/request_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reel/base/error.h"

namespace reel::gen {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

VideoRequest video(const json& body) { return parse_video_request(body).request; }

TEST(ParseVideo, ReadsWhatAiperfAndSglangSend) {
  const auto [request, priority, timeout, webhook, model, unknown] =
      parse_video_request(json::parse(R"({
    "prompt": "a cat", "model": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "size": "832x480",
    "seconds": 4, "fps": 24, "num_frames": 33, "num_inference_steps": 50, "seed": 42,
    "guidance_scale": 5, "guidance_scale_2": 3.5, "negative_prompt": "", "flow_shift": 3.0,
    "boundary_ratio": 0.9, "max_sequence_length": 226, "generator_device": "cuda",
    "output_quality": "high", "n": 2, "quality": "lossless", "user": "me",
    "enable_teacache": false, "enable_upscaling": false, "frame_interpolation_exp": 1,
    "cfg_gate_step": 1.0, "attention_backend_override": null, "priority": "7", "timeout_s": 30
  })"));
  EXPECT_EQ(request.prompt, "a cat");
  EXPECT_EQ(request.width, 832);
  EXPECT_EQ(request.height, 480);
  EXPECT_EQ(request.seconds, 4);
  EXPECT_EQ(request.fps, 24);
  EXPECT_EQ(request.num_frames, 33);
  EXPECT_EQ(request.num_inference_steps, 50);
  EXPECT_THAT(request.seeds, ElementsAre(42));
  EXPECT_EQ(request.guidance_scale, 5);
  EXPECT_EQ(request.guidance_scale_2, 3.5);
  EXPECT_EQ(request.negative_prompt, "");
  EXPECT_EQ(request.flow_shift, 3);
  EXPECT_EQ(request.boundary_ratio, 0.9);
  EXPECT_EQ(request.max_sequence_length, 226);
  EXPECT_EQ(request.generator_device, "cuda");
  EXPECT_EQ(request.quality, 90);
  EXPECT_EQ(request.num_outputs, 2);
  EXPECT_FALSE(any(request.inputs));
  EXPECT_EQ(priority, 7);
  EXPECT_EQ(timeout, 30);
  EXPECT_EQ(model, "Wan-AI/Wan2.1-T2V-1.3B-Diffusers");
  EXPECT_THAT(unknown, IsEmpty());
}

TEST(ParseVideo, LeavesOpenWhatIsAbsentOrNull) {
  const VideoRequest request = video({{"prompt", "x"},
                                      {"size", ""},
                                      {"seconds", nullptr},
                                      {"num_frames", ""},
                                      {"seed", " "},
                                      {"negative_prompt", nullptr}});
  EXPECT_FALSE(request.width || request.height || request.seconds || request.num_frames);
  EXPECT_FALSE(request.negative_prompt || request.guidance_scale || request.quality);
  EXPECT_THAT(request.seeds, IsEmpty());
  EXPECT_EQ(request.num_outputs, 1);
  EXPECT_EQ(request.generator_device, "cpu");
}

TEST(ParseVideo, ReadsNumbersThatAreText) {
  const VideoRequest request = video({{"prompt", "x"},
                                      {"seconds", "4.5"},
                                      {"fps", " 24 "},
                                      {"num_frames", 33.0},
                                      {"num_inference_steps", "20.0"},
                                      {"num_outputs_per_prompt", "2"},
                                      {"seed", "18446744073709551615"},
                                      {"guidance_scale", "1e1"},
                                      {"enable_upscaling", "False"}});
  EXPECT_EQ(request.seconds, 4.5);
  EXPECT_EQ(request.fps, 24);
  EXPECT_EQ(request.num_frames, 33);
  EXPECT_EQ(request.num_inference_steps, 20);
  EXPECT_EQ(request.num_outputs, 2);
  EXPECT_THAT(request.seeds, ElementsAre(18446744073709551615u));
  EXPECT_EQ(request.guidance_scale, 10);
}

TEST(ParseVideo, ReadsSeedsOneOrMany) {
  EXPECT_THAT(video({{"seed", {1, "2", 3.0}}}).seeds, ElementsAre(1, 2, 3));
  EXPECT_THAT(video({{"seed", "[1, 2]"}}).seeds, ElementsAre(1, 2));
  EXPECT_THAT(video({{"seed", "7"}}).seeds, ElementsAre(7));
}

TEST(ParseVideo, LetsWidthAndHeightWinOverSize) {
  const VideoRequest request = video({{"size", "832x480"}, {"height", 512}});
  EXPECT_EQ(request.width, 832);
  EXPECT_EQ(request.height, 512);
  EXPECT_EQ(video({{"size", "1280*720"}}).width, 1280);
  EXPECT_FALSE(video({{"size", "auto"}}).width);
}

TEST(ParseVideo, RefusesNulInNames) {
  EXPECT_THROW(parse_video_request({{"prompt", "x"}, {"image", std::string("a.png\0.x", 8)}}),
               Error);
}

TEST(ParseVideo, TellsOfFieldsThatChangeNothing) {
  EXPECT_THAT(
      parse_video_request({{"prompt", "x"}, {"zeal", 1}, {"true_cfg_scale", 4}, {"aspect", {}}})
          .unknown,
      ElementsAre("aspect", "true_cfg_scale", "zeal"));
}

TEST(ParseVideo, KeepsAPictureForTheModelToJudge) {
  const VideoRequest request = video({{"input_reference", "data:image/png;base64,AA"}});
  ASSERT_TRUE(request.inputs.image);
  EXPECT_EQ(request.inputs.image->field, "input_reference");
  EXPECT_EQ(request.inputs.image->source, "data:image/png;base64,AA");
  EXPECT_FALSE(any(video({{"input_reference", ""}, {"reference_url", nullptr}}).inputs));
}

TEST(ParseVideo, ReadsEachInputByItsNames) {
  const Inputs inputs = video({{"input_reference", {{"image_url", {{"url", "http://a/b.png"}}}}},
                               {"last_image", json::array({"l"})},
                               {"video_url", "v"},
                               {"mask", "m"},
                               {"reference_images", {"r", {{"image_url", "s"}}}}})
                            .inputs;
  EXPECT_EQ(inputs.image->source, "http://a/b.png");
  EXPECT_EQ(inputs.last_image->source, "l");
  EXPECT_EQ(inputs.video->source, "v");
  EXPECT_EQ(inputs.video->field, "video_url");
  EXPECT_EQ(inputs.mask->source, "m");
  ASSERT_EQ(inputs.reference_images.size(), 2u);
  EXPECT_EQ(inputs.reference_images[1].source, "s");
  EXPECT_EQ(video({{"reference_images", "r"}}).inputs.reference_images.size(), 1u);
}

TEST(ParseVideo, NamesAnInputThatIsNone) {
  for (const json& value : {json{{"file_id", "f"}}, json(7), json{"a", "b"}, json{{"x", "y"}}}) {
    try {
      video({{"input_reference", value}});
      ADD_FAILURE() << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.param(), "input_reference");
    }
  }
}

TEST(ParseVideo, ReadsOneScaleOrSeveral) {
  EXPECT_THAT(video({{"conditioning_scale", "0.5"}}).conditioning_scale, ElementsAre(0.5));
  EXPECT_THAT(video({{"conditioning_scale", "[1, 0.25]"}}).conditioning_scale,
              ElementsAre(1, 0.25));
  EXPECT_THROW(video({{"conditioning_scale", {1, "x"}}}), Error);
  EXPECT_EQ(video({{"strength", "0.3"}}).strength, 0.3);
}

TEST(ParseVideo, KnowsTheWordsForQuality) {
  EXPECT_EQ(video({{"output_quality", "maximum"}}).quality, 100);
  EXPECT_EQ(video({{"output_quality", "medium"}}).quality, 55);
  EXPECT_EQ(video({{"output_quality", "low"}}).quality, 35);
  EXPECT_EQ(video({{"output_quality", "default"}}).quality, 50);
  EXPECT_EQ(video({{"output_quality", "low"}, {"output_compression", "80"}}).quality, 80);
}

struct Fault {
  const char* param;
  const char* body;
  const char* message;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.body; }

class ParseFault : public testing::TestWithParam<Fault> {};

TEST_P(ParseFault, NamesTheFieldInVideosAndImages) {
  for (const auto& parse : {+[](const json& body) { parse_video_request(body); },
                            +[](const json& body) { parse_image_request(body); }}) {
    try {
      parse(json::parse(GetParam().body));
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
      EXPECT_EQ(error.param(), GetParam().param);
      EXPECT_THAT(error.what(), HasSubstr(GetParam().message));
    }
  }
}

// clang-format off
INSTANTIATE_TEST_SUITE_P(Table, ParseFault, testing::Values(
    Fault{"body", R"([1])", "expected a JSON object, got [1]"},
    Fault{"prompt", R"({"prompt": 5})", "expected text, got 5"},
    Fault{"size", R"({"size": "big"})", "expected positive WIDTHxHEIGHT, got \"big\""},
    Fault{"size", R"({"size": "832x480x2"})", "WIDTHxHEIGHT"},
    Fault{"size", R"({"size": "-832x480"})", "WIDTHxHEIGHT"},
    Fault{"size", R"({"size": "0x480"})", "WIDTHxHEIGHT"},
    Fault{"size", R"({"size": "832x"})", "WIDTHxHEIGHT"},
    Fault{"size", R"({"size": "99999999999x480"})", "WIDTHxHEIGHT"},
    Fault{"width", R"({"width": 832.5})", "expected a whole number, got 832.5"},
    Fault{"width", R"({"width": 4294967296})", "at most 31 bits, got 4294967296"},
    Fault{"height", R"({"height": "tall"})", "got \"tall\""},
    Fault{"height", R"({"height": true})", "got true"},
    Fault{"height", R"({"height": 1e300})", "whole number"},
    Fault{"num_inference_steps", R"({"num_inference_steps": [4]})", "got [4]"},
    Fault{"guidance_scale", R"({"guidance_scale": "nan"})", "finite"},
    Fault{"guidance_scale", R"({"guidance_scale": "1e999"})", "finite"},
    Fault{"guidance_scale", R"({"guidance_scale": "5 x"})", "finite"},
    Fault{"n", R"({"n": 0})", "expected 1 to 10, got 0"},
    Fault{"n", R"({"n": 11})", "got 11"},
    Fault{"num_outputs_per_prompt", R"({"n": 1, "num_outputs_per_prompt": 11})", "got 11"},
    Fault{"seed", R"({"seed": -1})", "from 0 to"},
    Fault{"seed", R"({"seed": 1.5})", "from 0 to"},
    Fault{"seed", R"({"seed": []})", "must not be empty"},
    Fault{"seed", R"({"seed": "[1, x]"})", "from 0 to"},
    Fault{"seed", R"({"seed": [[1]]})", "from 0 to"},
    Fault{"seed", R"({"seed": 18446744073709551616})", "from 0 to"},
    Fault{"output_quality", R"({"output_quality": "best"})", "maximum, high"},
    Fault{"output_compression", R"({"output_compression": 101})", "0 to 100"},
    Fault{"quality", R"({"quality": "x"})", "lossless, high"},
    Fault{"extra_body", R"({"extra_body": "{not json"})", "extra_body is not valid JSON"},
    Fault{"extra_params", R"({"extra_params": "[1]"})", "expected a JSON object"},
    Fault{"extra_json", R"({"extra_json": 3})", "expected a JSON object, got 3"},
    Fault{"enable_upscaling", R"({"enable_upscaling": true})", "does not upscale"},
    Fault{"enable_upscaling", R"({"enable_upscaling": "perhaps"})", "true or false"},
    Fault{"enable_frame_interpolation", R"({"enable_frame_interpolation": "true"})", "in between"},
    Fault{"enable_teacache", R"({"enable_teacache": 1})", "no step cache"},
    Fault{"enable_cache_dit", R"({"extra_body": {"enable_cache_dit": true}})", "no step cache"},
    Fault{"cache_dit_params", R"({"cache_dit_params": {"a": 1}})", "no step cache"},
    Fault{"cfg_gate_step", R"({"cfg_gate_step": 0.5})", "no step cache"},
    Fault{"progressive_mode", R"({"progressive_mode": "dct"})", "fullres"},
    Fault{"output_path", R"({"output_path": "/etc"})", "names and places its files itself"},
    Fault{"perf_dump_path", R"({"perf_dump_path": "x"})", "itself"},
    Fault{"diffusers_kwargs", R"({"diffusers_kwargs": {"a": 1}})", "Diffusers"},
    Fault{"attention_backend_override", R"({"attention_backend_override": "fa"})", "whole server"},
    Fault{"priority", R"({"priority": 101})", "expected -100 to 100, got 101"},
    Fault{"priority", R"({"priority": "high"})", "expected a whole number, got \"high\""},
    Fault{"priority", R"({"priority": 0.5})", "a whole number"},
    Fault{"timeout_s", R"({"timeout_s": 0})", "more than 0 and at most 1000000, got 0"},
    Fault{"timeout_s", R"({"timeout_s": -1})", "got -1"},
    Fault{"timeout_s", R"({"timeout_s": 1e300})", "at most 1000000"},
    Fault{"timeout_s", R"({"timeout_s": "soon"})", "finite"},
    Fault{"profile", R"({"profile": true})", "profiler"}));
// clang-format on

TEST(ParseVideo, JudgesItsOwnFields) {
  for (const char* field : {"num_frames", "fps"}) {
    try {
      video({{field, "many"}});
      ADD_FAILURE() << field;
    } catch (const Error& error) {
      EXPECT_EQ(error.param(), field);
    }
  }
  EXPECT_THROW(video({{"seconds", "inf"}}), Error);
}

TEST(ParseVideo, QuotesHostileValuesShortAndInAscii) {
  try {
    video({{"fps", "\xff" + std::string(5000, 'x')}});
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_LT(message.size(), 150u);
    for (const char c : message) EXPECT_TRUE(c >= ' ' && c <= '~') << int{c};
  }
}

TEST(ParseVideo, SurvivesTextNestedAMillionDeep) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  EXPECT_THROW(video({{"seed", deep}}), Error);
  EXPECT_THROW(video({{"extra_body", "{\"size\": " + deep + "}"}}), Error);
}

TEST(ParseVideo, RefusesTextOfMoreValuesThanAnyoneNeeds) {
  std::string many = "[0";
  for (int i = 0; i < 30'000; ++i) many += ",0";
  EXPECT_THROW(video({{"extra_body", "{\"unknown\": " + many + "]}"}}), Error);
}

TEST(ParseVideo, RefusesALongModel) {
  EXPECT_EQ(parse_video_request({{"model", std::string(512, 'm')}}).model.size(), 512u);
  EXPECT_THROW(parse_video_request({{"model", std::string(513, 'm')}}), Error);
}

TEST(ParseVideo, TakesAnEmptyGeneratorDeviceForNone) {
  EXPECT_EQ(video({{"generator_device", ""}}).generator_device, "cpu");
  EXPECT_THROW(video({{"generator_device", "tpu"}}), Error);
}

TEST(ParseImage, IsAVideoOfOneFrame) {
  const auto [request, priority, timeout, webhook, model, unknown] =
      parse_image_request(json::parse(R"({
    "prompt": "a cat", "model": "m", "n": 2, "priority": -100, "timeout_s": "0.5", "size": "512x512", "response_format": "b64_json",
    "output_format": "webp", "output_compression": 60, "seed": 3, "style": "vivid",
    "background": "auto", "quality": "auto", "moderation": "low", "num_inference_steps": 6})"));
  EXPECT_EQ(request.still.prompt, "a cat");
  EXPECT_EQ(request.still.num_frames, 1);
  EXPECT_EQ(request.still.num_outputs, 2);
  EXPECT_EQ(request.still.width, 512);
  EXPECT_EQ(request.still.num_inference_steps, 6);
  EXPECT_EQ(request.still.quality, 60);
  EXPECT_THAT(request.still.seeds, ElementsAre(3));
  EXPECT_EQ(request.format, ImageFormat::Webp);
  EXPECT_EQ(request.reply, ImageRequest::Reply::Base64);
  EXPECT_EQ(priority, -100);
  EXPECT_EQ(timeout, 0.5);
  EXPECT_EQ(model, "m");
  EXPECT_THAT(unknown, IsEmpty());
}

TEST(ParseImage, TakesAnImagesUrl) {
  const auto& image = parse_image_request({{"prompt", "x"}, {"url", "https://a.example/a.png"}})
                          .request.still.inputs.image;
  ASSERT_TRUE(image);
  EXPECT_EQ(image->field, "url");
}

TEST(ParseImage, DefaultsToJpeg) {
  const ImageRequest request = parse_image_request({{"prompt", "x"}}).request;
  EXPECT_EQ(request.format, ImageFormat::Jpeg);
  EXPECT_EQ(request.reply, std::nullopt);
  EXPECT_EQ(request.still.quality, 75);
}

TEST(ParseImage, MayStream) {
  EXPECT_FALSE(parse_image_request({{"prompt", "x"}}).request.stream);
  EXPECT_TRUE(parse_image_request({{"prompt", "x"}, {"stream", "true"}, {"partial_images", 3}})
                  .request.stream);
}

TEST(ParseImage, JudgesItsOwnFields) {
  for (const auto& [field, value] : {std::pair{"output_format", "gif"},
                                     {"response_format", "file"},
                                     {"background", "transparent"},
                                     {"stream", "perhaps"},
                                     {"partial_images", "4"}}) {
    try {
      parse_image_request({{"prompt", "x"}, {field, value}});
      ADD_FAILURE() << field;
    } catch (const Error& error) {
      EXPECT_EQ(error.param(), field);
    }
  }
}

TEST(ResolvedJson, ComesBackExactly) {
  ResolvedRequest request;
  request.prompt = "a \"cat\"\n\xf0\x9f\x90\x88";
  request.negative_prompt = "";
  request.width = 832;
  request.height = 480;
  request.num_frames = 81;
  request.fps = 16;
  request.seeds = {0, 18446744073709551615u};
  request.generator_device = "cpu";
  request.num_inference_steps = 50;
  request.guidance_scale = 0.1 + 0.2;
  request.guidance_scale_2 = 1e-300;
  request.flow_shift = 3.0000000000000004;
  request.max_sequence_length = 512;
  EXPECT_EQ(resolved_from_json(json::parse(to_json(request).dump())), request);
  request.boundary_ratio = 0.875;
  request.strength = 0.8;
  request.conditioning_scale = {1, 0.5};
  EXPECT_EQ(resolved_from_json(json::parse(to_json(request).dump())), request);
}

TEST(ResolvedJson, ShowsInputsBySizeAndHash) {
  ResolvedRequest request;
  request.inputs.image = ImageInput{"input_reference"};
  request.inputs.image->sha256 = "abc";
  request.inputs.image->bytes = 7;
  request.inputs.image->width = 3;
  request.inputs.image->content = std::make_shared<Image>(Image{1, 1, {1, 2, 3}});
  request.inputs.reference_images = {{"reference_images"}, {"reference_images"}};
  request.inputs.reference_images[1].sha256 = "def";
  const json shown = to_json(request);
  EXPECT_EQ(shown["inputs"]["image"], json::parse(R"({"field": "input_reference", "sha256": "abc",
      "bytes": 7, "width": 3, "height": 0, "frames": 0})"));
  const auto again = resolved_from_json(shown);
  EXPECT_EQ(again, request);
  EXPECT_EQ(again.inputs.image->width, 3);
  request.inputs.reference_images[1].sha256 = "deg";
  EXPECT_NE(again, request);
}

TEST(ResolvedJson, RefusesWhatIsBroken) {
  EXPECT_THROW(resolved_from_json(json::object()), Error);
  json broken = to_json({});
  broken["seeds"] = "1";
  EXPECT_THROW(resolved_from_json(broken), Error);
}

}  // namespace
}  // namespace reel::gen
