#include "decode.h"

#include <ATen/ATen.h>

#include <cstring>

#include "reel/base/error.h"

namespace reel::pipeline {

gen::Frames to_frames(const at::Tensor& rgb_nHW3) {
  const auto host = rgb_nHW3.to(at::kCPU).contiguous();
  gen::Frames frames{static_cast<int>(host.size(0)), static_cast<int>(host.size(2)),
                     static_cast<int>(host.size(1)),
                     std::vector<uint8_t>(static_cast<size_t>(host.numel()))};
  std::memcpy(frames.rgb.data(), host.const_data_ptr<uint8_t>(), frames.rgb.size());
  return frames;
}

bool decode(const models::WanVaeDecoder& vae, const at::Tensor& latents_1CThw, bool tiled,
            gen::FrameSink& sink, gen::Control& control, dist::Group& group, Dump& dump) {
  const int latent_frames = static_cast<int>(latents_1CThw.size(2));
  const auto z = vae.denormalise(latents_1CThw);
  std::vector<at::Tensor> dumped;

  const auto keep_on = [&](int done, int total) {
    if (done > 0) control.report({gen::Stage::Decoding, done, total});
    return !group.any(control.ask() == gen::Control::Ask::Cancel);
  };
  const auto hand_on = [&](const at::Tensor& frames_13nHW) {
    const auto frames_3nHW = frames_13nHW[0];
    if (frames_3nHW.isnan().any().item<bool>()) {
      throw Error(ErrorCode::Internal,
                  "decoding ended in numbers that are none: another precision of the VAE may help");
    }
    if (dump.wanted()) dumped.push_back(models::unit_frames(frames_3nHW));
    sink.write(to_frames(models::rgb_frames(frames_3nHW)));
  };
  if (tiled) {
    const auto frames = vae.decode_tiled(z, {}, keep_on);
    if (!frames) return false;
    for (const auto& frame : frames->split(1, 2)) hand_on(frame);
  } else {
    models::DecoderCache cache;
    for (int t = 0; t < latent_frames; ++t) {
      if (!keep_on(t, latent_frames)) return false;
      hand_on(vae.decode_frame(z.narrow(2, t, 1), cache));
    }
  }
  control.report({gen::Stage::Decoding, latent_frames, latent_frames});
  if (dump.wanted()) dump.add("frames", at::cat(dumped));
  return true;
}

}  // namespace reel::pipeline
