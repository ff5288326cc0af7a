#include "flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "for_flag.h"
#include "reel/base/error.h"
#include "reel/base/file_error.h"
#include "temporary_folder.h"

namespace reel::cli {
namespace {

Flags parse(std::vector<const char*> words) {
  words.insert(words.begin(), "serve");
  return parse_flags(static_cast<int>(words.size()), words.data()).value();
}

std::string fault(std::vector<const char*> words) {
  try {
    parse(std::move(words));
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Flags, ServeByDefault) {
  const auto flags = parse({"--model-path", "m", "--port", "31000", "--strict-ports"});
  EXPECT_EQ(flags.command, Command::Serve);
  EXPECT_EQ(flags.model.model_path, "m");
  EXPECT_EQ(flags.model.dit_precision, "bf16");
  EXPECT_EQ(flags.server.port, 31000);
  EXPECT_TRUE(flags.server.strict_ports);
}

TEST(Flags, BooleansTakeAnOptionalValue) {
  EXPECT_TRUE(parse({"--model-path", "m", "--vae-tiling"}).model.vae_tiling);
  EXPECT_TRUE(parse({"--model-path", "m", "--vae-tiling", "true"}).model.vae_tiling);
  EXPECT_FALSE(parse({"--model-path", "m", "--vae-tiling", "false"}).model.vae_tiling);
  EXPECT_THAT(fault({"--model-path", "m", "--vae-tiling", "maybe"}), testing::HasSubstr("maybe"));
}

TEST(Flags, GenerateTakesModelFlagsToo) {
  const auto flags = parse({"generate", "--model-path", "m", "--prompt", "a cat", "--seed", "7",
                            "--dit-precision", "fp32", "--720p", "--transformer-path", "t",
                            "--negative-prompt", "", "--output-path", "out/"});
  EXPECT_EQ(flags.command, Command::Generate);
  EXPECT_EQ(flags.generate.prompts, std::vector<std::string>{"a cat"});
  EXPECT_EQ(flags.generate.request.seeds, std::vector<uint64_t>{7});
  EXPECT_EQ(flags.generate.request.width, 1280);
  EXPECT_EQ(parse({"generate", "--model-path", "m", "--prompt", "a", "--1080p", "--quality",
                   "lossless", "--enable-upscaling", "false"})
                .generate.request.height,
            1080);
  EXPECT_EQ(flags.generate.request.negative_prompt, "");
  EXPECT_EQ(flags.model.dit_precision, "fp32");
  EXPECT_EQ(flags.model.component_paths.at("transformer"), "t");
}

TEST(Flags, GenerateTakesPicturesAndVideos) {
  const auto request = parse({"generate",
                              "--model-path",
                              "m",
                              "--image-path",
                              "a.png",
                              "--last-image-path",
                              "b.png",
                              "--video-path",
                              "v",
                              "--mask-path",
                              "w",
                              "--reference-images",
                              "r",
                              "s",
                              "--conditioning-scale",
                              "1,0.5",
                              "--strength",
                              "0.3",
                              "--flow-shift",
                              "5",
                              "--boundary-ratio",
                              "0.9",
                              "--max-sequence-length",
                              "226"})
                           .generate.request;
  EXPECT_EQ(request.inputs.image->source, "a.png");
  EXPECT_EQ(request.inputs.image->field, "--image-path");
  EXPECT_EQ(request.inputs.last_image->source, "b.png");
  EXPECT_EQ(request.inputs.video->source, "v");
  EXPECT_EQ(request.inputs.mask->source, "w");
  ASSERT_EQ(request.inputs.reference_images.size(), 2u);
  EXPECT_EQ(request.inputs.reference_images[1].source, "s");
  EXPECT_EQ(request.conditioning_scale, (std::vector<double>{1, 0.5}));
  EXPECT_EQ(request.strength, 0.3);
}

TEST(Flags, TheServerIsToldWhatItMayReach) {
  EXPECT_EQ(parse({"--model-path", "m"}).server.url_fetch, "public");
  const auto server = parse({"--model-path", "m", "--url-fetch", "off", "--input-root", "/tmp",
                             "--input-root", "/"})
                          .server;
  EXPECT_EQ(server.url_fetch, "off");
  EXPECT_EQ(server.input_roots, (std::vector<std::string>{"/tmp", "/"}));
}

TEST(Flags, SeedsAreNeverNegative) {
  for (const char* seed : {"-1", "-2", "1.5", "x", "18446744073709551616"}) {
    const auto why = fault({"generate", "--model-path", "m", "--prompt", "p", "--seed", seed});
    EXPECT_THAT(why, testing::HasSubstr("--seed")) << seed;
    EXPECT_THAT(why, testing::HasSubstr(seed));
  }
  const auto flags = parse(
      {"generate", "--model-path", "m", "--prompt", "p", "--seed", "1", "18446744073709551615"});
  EXPECT_EQ(flags.generate.request.seeds, (std::vector<uint64_t>{1, 18446744073709551615u}));
}

TEST(Flags, UrlsAndLimitsAreCheckedAtOnce) {
  for (const char* url : {"zz", "ftp://a", "http://", "", "http://x y/", "https://u:p@h/",
                          "http://a?b", "http:///a"}) {
    EXPECT_THAT(fault({"--model-path", "m", "--public-url", url}), testing::HasSubstr("http://"))
        << url;
    EXPECT_THAT(fault({"bench", "--base-url", url}), testing::HasSubstr("http://")) << url;
  }
  EXPECT_EQ(parse({"--model-path", "m", "--public-url", "https://a"}).server.public_url,
            "https://a");
  EXPECT_LT(fault({"--model-path", "m", "--max-queue", "0"}).size(), 100u);
  for (const char* seconds : {"-1", "inf", "nan", "1e300"}) {
    EXPECT_NE(fault({"--model-path", "m", "--drain-timeout", seconds}), "none") << seconds;
  }
}

TEST(Flags, TheQueueHasAPolicyAndLimits) {
  EXPECT_EQ(parse({"--model-path", "m"}).server.queue_policy, jobs::QueueOrder::Fifo);
  EXPECT_EQ(parse({"--model-path", "m", "--queue-policy", "shortest"}).server.queue_policy,
            jobs::QueueOrder::Shortest);
  EXPECT_EQ(parse({"--model-path", "m", "--max-queue-per-key", "7"}).server.max_queue_per_key, 7);
  EXPECT_THAT(fault({"--model-path", "m", "--queue-policy", "lifo"}), testing::HasSubstr("fifo"));
  EXPECT_NE(fault({"--model-path", "m", "--max-queue-per-key", "-1"}), "none");
  for (const char* size : {"-1", "-1kb"}) {
    EXPECT_THAT(fault({"--model-path", "m", "--output-quota", size}),
                testing::HasSubstr("or more"));
  }
  EXPECT_EQ(parse({"--model-path", "m", "--output-quota", "2kb"}).server.output_quota, 2048);
}

TEST(Flags, HostsAndOriginsAreSeveralAndCheckedAtOnce) {
  const auto flags =
      parse({"--model-path", "m", "--allowed-hosts", "a.example", "fe80::1", "--cors-origin",
             "https://a.example", "--cors-origin", "http://127.0.0.1:5173", "http://[::1]:80"});
  EXPECT_THAT(flags.server.allowed_hosts, testing::ElementsAre("a.example", "fe80::1"));
  EXPECT_THAT(
      flags.server.cors_origins,
      testing::ElementsAre("https://a.example", "http://127.0.0.1:5173", "http://[::1]:80"));
  for (const char* host : {"", "*", "a:80", "http://a", "a/b", "a b"}) {
    EXPECT_THAT(fault({"--model-path", "m", "--allowed-hosts", host}),
                testing::HasSubstr("without a port"))
        << host;
  }
  for (const char* origin :
       {"", "*", "null", "a.example", "https://", "https://a/", "https://A", "https://a:x",
        "https://a:", "ftp://a", "https://u@a", "https://a b", "https://[::1", "https://::1"}) {
    EXPECT_THAT(fault({"--model-path", "m", "--cors-origin", origin}),
                testing::HasSubstr("expected an origin"))
        << origin;
  }
}

TEST(Flags, KeysComeFromAFileOrTheEnvironment) {
  EXPECT_EQ(parse({"--model-path", "m", "--api-key-file", "keys"}).server.api_key_file, "keys");
  EXPECT_EQ(parse({"--model-path", "m", "--api-key", "sk-1"}).server.api_key, "sk-1");
  setenv("REEL_API_KEY", "sk-2", 1);
  EXPECT_EQ(parse({"--model-path", "m"}).server.api_key, "sk-2");
  EXPECT_EQ(parse({"--model-path", "m", "--api-key", "sk-1"}).server.api_key, "sk-1");
  unsetenv("REEL_API_KEY");
}

TEST(Flags, SecretsThatAreNoneAreNoSecrets) {
  for (const char* flag : {"--api-key", "--api-key-file", "--webhook-secret"}) {
    EXPECT_THAT(fault({"--model-path", "m", flag, ""}), testing::HasSubstr("got none")) << flag;
  }
}

TEST(Flags, AreWrittenWithUnderscoresToo) {
  EXPECT_TRUE(parse({"--model_path", "m_n", "--strict_ports"}).server.strict_ports);
  EXPECT_EQ(parse({"--model_path=m_n"}).model.model_path, "m_n");
}

TEST(Flags, PromptsAreTakenAsTheyAre) {
  const auto prompts = [](std::vector<const char*> words) {
    words.insert(words.begin(), {"generate", "--model-path", "m"});
    return parse(std::move(words)).generate.prompts;
  };
  using testing::ElementsAre;
  EXPECT_THAT(prompts({"--prompt", "[wide, slow]"}), ElementsAre("[wide, slow]"));
  EXPECT_THAT(prompts({"--prompt=[]", "--seed", "1"}), ElementsAre("[]"));
  EXPECT_THAT(prompts({"--prompt", "a]", "[b]", "c"}), ElementsAre("a]", "[b]", "c"));
}

TEST(Flags, EveryFaultIsOneSentence) {
  EXPECT_THAT(fault({}), testing::HasSubstr("--model-path"));
  EXPECT_THAT(fault({"--model-path", "m", "--num-gpus", "8"}), testing::HasSubstr("--num-gpus"));
  EXPECT_THAT(fault({"--model-path", "m", "--lora-path", "x"}), testing::HasSubstr("LoRA"));
  EXPECT_THAT(fault({"--model-path", "m", "--port", "x"}), testing::HasSubstr("--port"));
  EXPECT_THAT(fault({"--model-path", "m", "--no-such"}), testing::HasSubstr("--no-such"));
  EXPECT_THAT(fault({"--model-path", "m", "--dit-precision", "fp8"}), testing::HasSubstr("fp8"));
  for (const char* word : {"--num-gpus", "--lora-path"}) {
    EXPECT_EQ(fault({"--model-path", "m", word, "x"}).find('\n'), std::string::npos);
  }
}

TEST(Flags, AskingForNothingIsNotRefused) {
  EXPECT_EQ(fault({"--model-path", "m", "--num-gpus", "1", "--performance-mode", "speed",
                   "--dit-cpu-offload", "false"}),
            "none");
}

/// One of each part of SGLang's list, with its default: `--flag value`.
TEST(Flags, SglangsDefaultsAreTaken) {
  for (const std::vector<const char*>& words :
       {std::vector{"--scheduler-port", "5555"},
        {"--master-port", "30005"},
        {"--dist-timeout", "3600"},
        {"--pin-cpu-memory"},
        {"--dit-layerwise-residency-policy", "leading"},
        {"--vae-config.use-parallel-decode", "true"},
        {"--vae-config.tile-sample-min-height", "256"},
        {"--embedded-cfg-scale", "6.0"},
        {"--quantization-rank", "32"},
        {"--bcg-text-buckets", "64", "128", "256", "512", "1024"},
        {"--batching-mode", "dynamic"},
        {"--log-requests-level", "2"},
        {"--otlp-traces-endpoint", "localhost:4317"},
        {"--disagg-transfer-redundancy", "1.25"},
        {"--gpu-ids", "0"}}) {
    std::vector<const char*> line = {"--model-path", "m"};
    line.insert(line.end(), words.begin(), words.end());
    EXPECT_EQ(fault(line), "none") << words[0];
  }
}

TEST(Flags, WhatIsNotThereIsRefusedWithASentence) {
  const std::vector<std::pair<std::vector<const char*>, const char*>> lines = {
      {{"--gpu-ids", "0", "1"}, "--gpu-ids: one device only so far"},
      {{"--enable-nccl-nvls"}, "--enable-nccl-nvls: one device only so far"},
      {{"--layerwise-resident-layers", "dit=4"}, "all weights stay on the device"},
      {{"--vae-config.tile-sample-stride-width", "64"}, "tiles of --vae-tiling have one size"},
      {{"--enable-svdquant"}, "quantisation is not there yet"},
      {{"--batching-config", "{}"}, "requests are not batched"},
      {{"--encoder-urls", "tcp://a:1"}, "one device only"},
      {{"--log-requests-target", "stdout"}, "requests are not logged"},
      {{"--server-warmup"}, "it was removed: use --warmup-mode"},
      {{"--enable-upscaling"}, "videos are not upscaled"},
      {{"--guidance-rescale", "0.7"}, "guidance is not rescaled"}};
  for (const auto& [words, why] : lines) {
    std::vector<const char*> line = {"--model-path", "m"};
    line.insert(line.end(), words.begin(), words.end());
    EXPECT_THAT(fault(line), testing::HasSubstr(why));
  }
}

TEST(Flags, NumbersAreInReason) {
  const std::vector<std::pair<const char*, const char*>> wrong = {
      {"--threads", "-1"},     {"--flow-shift", "nan"}, {"--flow-shift", "0"},
      {"--warmup-steps", "0"}, {"--job-ttl", "-1"},     {"--job-ttl", "x"}};
  for (const auto& [flag, value] : wrong) {
    const auto why = fault({"--model-path", "m", flag, value});
    EXPECT_THAT(why, testing::HasSubstr(flag));
    EXPECT_LT(why.size(), 100u) << why;
  }
  for (const char* rate : {"-1", "nan", "x"}) {
    EXPECT_THAT(fault({"bench", "--request-rate", rate}), testing::HasSubstr("--request-rate"));
  }
  EXPECT_EQ(fault({"bench", "--request-rate", "inf"}), "none");
  EXPECT_THAT(fault({"bench", "--port", "99999"}), testing::HasSubstr("--port"));
  EXPECT_THAT(fault({"generate", "--model-path", "m", "--boundary-ratio", "nan"}),
              testing::HasSubstr("--boundary-ratio"));
}

TEST(Flags, WhatContradictsIsRefused) {
  EXPECT_THAT(fault({"generate", "--model-path", "m", "--output-file-path", "a/b.mp4",
                     "--output-file-name", "c"}),
              testing::HasSubstr("--output-file-name excludes --output-file-path"));
  EXPECT_THAT(fault({"--model-path", "m", "generate", "bench"}), testing::HasSubstr("bench"));
  EXPECT_THAT(fault({"generate", "--model-path", "m", "--perf-dump-path", "/none/of/it"}),
              testing::HasSubstr("got '/none/of/it'"));
  const test::TemporaryFolder folder;
  std::filesystem::create_symlink(folder.write("file", ""), folder / "link");
  const std::string link = folder / "link";
  for (const std::string& path : {std::string("/"), std::string(""), std::string(5000, 'x'), link,
                                  std::string("/dev/null"), std::string("/dev/stdout")}) {
    EXPECT_THAT(fault({"bench", "--output-file", path.c_str()}),
                testing::HasSubstr("--output-file: expected a file"));
  }
  EXPECT_EQ(fault({"bench", "--output-file", "figures.json"}), "none");
}

TEST(Flags, AreNamedWhereTheSystemRefusesThem) {
  const std::vector<std::pair<int, ErrorCode>> causes = {{ENOSPC, ErrorCode::StorageFull},
                                                         {EACCES, ErrorCode::InvalidArgument}};
  for (const auto& [cause, code] : causes) {
    try {
      for_flag("--output-path", [&]() -> int { throw file_error("create", "out", cause); });
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      EXPECT_THAT(error.what(), testing::HasSubstr("--output-path: out: cannot create: "));
    }
  }
}

TEST(Flags, AFolderHasAName) {
  EXPECT_THAT(fault({"--model-path", "m", "--output-path", ""}),
              testing::HasSubstr("--output-path: expected a folder, got ''"));
  EXPECT_THAT(fault({"generate", "--model-path", "m", "--prompt", "p", "--output-path", ""}),
              testing::HasSubstr("expected a folder"));
}

TEST(Flags, TheCommandLineWinsOverTheConfigFile) {
  const auto path =
      std::filesystem::temp_directory_path() / ("reel-flags-" + std::to_string(getpid()) + ".json");
  std::ofstream(path) << R"({"model_path": "m", "port": 31000, "vae-tiling": true, "host": "::1"})";
  const auto flags = parse({"--config", path.c_str(), "--port", "32000"});
  EXPECT_EQ(flags.model.model_path, "m");
  EXPECT_EQ(flags.server.port, 32000);
  EXPECT_EQ(flags.server.host, "::1");
  EXPECT_TRUE(flags.model.vae_tiling);
  const std::string is = "--config=" + path.string();
  EXPECT_EQ(parse({is.c_str()}).server.port, 31000);
  EXPECT_THAT(fault({is.c_str(), "--config", path.c_str()}), testing::HasSubstr("one file"));
  std::filesystem::remove(path);
}

TEST(Flags, AConfigFileMayHoldGeneratesFlags) {
  const test::TemporaryFolder folder;
  const auto path = folder.write("flags.yaml", "model-path: m\nprompt: a fox\nnum_frames: 9\n");
  const auto flags = parse({"generate", "--config", path.c_str(), "--num-frames", "13"});
  EXPECT_EQ(flags.model.model_path, "m");
  EXPECT_EQ(flags.generate.prompts, std::vector<std::string>{"a fox"});
  EXPECT_EQ(flags.generate.request.num_frames, 13);
}

TEST(Flags, AListOnTheCommandLineStandsForTheConfigFiles) {
  const test::TemporaryFolder folder;
  const auto path = folder.write(
      "flags.yaml", "model_path: m\nprompt: [a fox, a cat]\nseed: 9\nno-save-output: True");
  const auto own = parse({"generate", "--config", path.c_str()}).generate;
  EXPECT_EQ(own.prompts.size(), 2);
  EXPECT_EQ(own.request.seeds, std::vector<uint64_t>{9});
  EXPECT_FALSE(own.save_output);
  const auto given = parse({"generate", "--config", path.c_str(), "--prompt", "a dog", "--seed=7",
                            "--save_output"})
                         .generate;
  EXPECT_EQ(given.prompts, std::vector<std::string>{"a dog"});
  EXPECT_EQ(given.request.seeds, std::vector<uint64_t>{7});
  EXPECT_TRUE(given.save_output);
}

TEST(Flags, NumbersAreDecimalAndGiven) {
  EXPECT_EQ(parse({"--model-path", "m", "--port", "031200"}).server.port, 31200);
  const auto generate = [](const char* flag, const char* value) {
    return fault({"generate", "--model-path", "m", "--prompt", "p", flag, value});
  };
  EXPECT_EQ(generate("--fps", "024"), "none");
  EXPECT_EQ(generate("--guidance-scale", "05.5"), "none");
  EXPECT_THAT(generate("--num-frames", "0x10"), testing::HasSubstr("expected a number in digits"));
  for (const char* flag : {"--width", "--fps", "--num-frames", "--guidance-scale", "--strength"}) {
    EXPECT_THAT(generate(flag, ""), testing::HasSubstr(flag)) << flag;
  }
}

TEST(Flags, AConfigFileHoldsFlagsAndValues) {
  const test::TemporaryFolder folder;
  for (const char* text :
       {"[1, 2", "hello", "[1, 2]", "model-path:", R"({"model-path": null})",
        R"({"model-path": "m", "port": {"a": 1}})", R"({"model-path": "m", "no-such": 1})",
        R"({"model-path": "m", "config": "other.yaml"})"}) {
    const auto why = fault({"--config", folder.write("flags", text).c_str()});
    EXPECT_NE(why, "none") << text;
    EXPECT_THAT(why, testing::Not(testing::HasSubstr("required"))) << text;
  }
  EXPECT_THAT(fault({"--config", folder.path().c_str()}), testing::HasSubstr("expected a file"));
  EXPECT_THAT(fault({"--config", std::string(5000, 'x').c_str()}), testing::HasSubstr("--config"));
  EXPECT_EQ(fault({"--model-path", "m", "--config", folder.write("empty", "").c_str()}), "none");
  const auto yaml = folder.write("flags.yaml", "model_path: m\nstrict-ports: True\n");
  EXPECT_TRUE(parse({"--config", yaml.c_str()}).server.strict_ports);
  EXPECT_THAT(fault({"--foo-path", "x"}), testing::HasSubstr("--foo-path: is no flag"));
}

}  // namespace
}  // namespace reel::cli
