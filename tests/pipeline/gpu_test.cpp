#include <ATen/ATen.h>
#include <ATen/SDPBackend.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "reel/nn/attention.h"
#include "tiny_run.h"

// What only a GPU can show.
namespace reel::pipeline {
namespace {

class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::device().is_cuda()) GTEST_SKIP() << "REEL_TEST_DEVICE is not cuda";
  }

  static std::unique_ptr<WanPipeline> load(const fs::path& model, at::ScalarType dtype) {
    Options options;
    options.device = test::device();
    options.dit = options.text_encoder = dtype;
    return std::make_unique<WanPipeline>(config::open_model_folder(model), options,
                                         [](std::string_view, uint64_t, uint64_t) {});
  }

  static c10::CachingDeviceAllocator::Stat allocated() {
    return at::getDeviceAllocator(at::kCUDA)->getDeviceStats(0).allocated_bytes[0];
  }

  dist::SoloGroup group;
};

TEST_F(OnGpu, HopperAttendsWithCudnn) {
  int major = 0;
  ASSERT_EQ(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), cudaSuccess);
  if (major != 9) GTEST_SKIP() << "not Hopper, but compute capability " << major;

  const c10::InferenceMode inference;
  const auto random = [](int64_t tokens) {
    return at::randn({1, tokens, 12, 128}, at::device(at::kCUDA).dtype(at::kBFloat16));
  };
  const auto choice = [](const at::Tensor& q_BSHd, const at::Tensor& k_BTHd) {
    const auto q_BHSd = q_BSHd.transpose(1, 2), k_BHTd = k_BTHd.transpose(1, 2);
    return static_cast<at::SDPBackend>(at::_fused_sdp_choice(q_BHSd, k_BHTd, k_BHTd));
  };
  const auto video = random(1280), text = random(512);
  for (const auto& keys : {video, text}) {
    EXPECT_EQ(choice(video, keys), at::SDPBackend::cudnn_attention);
    const auto right =
        nn::attention(video.to(at::kDouble), keys.to(at::kDouble), keys.to(at::kDouble));
    EXPECT_LT(test::relative_l2(nn::attention(video, keys, keys), right), 1e-2);
  }
  EXPECT_NE(choice(video.to(at::kFloat), text.to(at::kFloat)), at::SDPBackend::cudnn_attention);
}

void forbid_waiting(bool forbid) {
  c10::cuda::warning_state().set_sync_debug_mode(forbid ? c10::cuda::SyncDebugMode::L_ERROR
                                                        : c10::cuda::SyncDebugMode::L_DISABLED);
}

/// While steps are taken, libtorch throws wherever it would wait for the device, but for events.
class NoWaiting final : public gen::Control {
 public:
  explicit NoWaiting(int steps) : steps_(steps) {}
  ~NoWaiting() override { forbid_waiting(false); }

  Ask ask() override {
    forbid_waiting(taken_ < steps_);
    return Ask::GoOn;
  }
  void report(const gen::Progress& progress) override {
    if (progress.stage != gen::Stage::Denoising) return;
    taken_ = progress.step;
    if (taken_ == steps_) forbid_waiting(false);
  }

 private:
  int steps_, taken_ = 0;
};

TEST_F(OnGpu, NoStepWaitsForTheDevice) {
  const c10::InferenceMode inference;
  for (const char* name : {"t2v-tiny", "t2v-tiny.noguidance", "a14b-tiny", "ti2v-5b-tiny"}) {
    TinyRun run(name);
    const auto pipeline = load(run.model, at::kBFloat16);
    AskAfter first;  // makes handles and workspaces
    pipeline->generate(run.request, 0, nullptr, run.sink, first, group);
    NoWaiting control(run.request.num_inference_steps);
    EXPECT_NO_THROW(pipeline->generate(run.request, 0, nullptr, run.sink, control, group)) << name;
  }
}

TEST_F(OnGpu, WaitingWouldBeSeen) {
  const auto x = at::ones({1}, test::device());
  const NoWaiting back_to_normal(1);
  forbid_waiting(true);
  EXPECT_THROW(x.item<float>(), c10::Error);
  EXPECT_THROW(at::ones({1}).to(test::device()), c10::Error);
}

TEST_F(OnGpu, MemoryIsGivenBack) {
  const c10::InferenceMode inference;
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    TinyRun run("t2v-tiny");
    int64_t before = 0;
    for (const bool warm : {false, true}) {
      at::getDeviceAllocator(at::kCUDA)->resetPeakStats(0);
      AskAfter control;
      load(run.model, dtype)->generate(run.request, 0, nullptr, run.sink, control, group);
      const auto bytes = allocated();
      if (warm) {
        EXPECT_EQ(bytes.current, before);
      }
      EXPECT_GT(bytes.peak, bytes.current);
      before = bytes.current;
    }
    const double peak = static_cast<double>(allocated().peak) / 1048576.0;
    fmt::print("t2v-tiny {}: peak {:.1f} MiB on the GPU\n", c10::toString(dtype), peak);
    RecordProperty(c10::toString(dtype), fmt::format("{:.1f}", peak));
  }
}

}  // namespace
}  // namespace reel::pipeline
