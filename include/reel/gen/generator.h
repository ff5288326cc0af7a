#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "reel/gen/description.h"
#include "reel/gen/frames.h"
#include "reel/gen/video_request.h"

namespace reel::gen {

enum class Stage { TextEncoding, Denoising, Decoding };

std::string_view name(Stage stage);  // "text_encode", "denoise", "vae_decode"

struct Progress {
  Stage stage = Stage::TextEncoding;
  int step = 0;  // done so far: denoising steps, or latent frames decoded
  int steps = 0;
};

/// How the caller of generate() watches it and stops it. Called on the generator's thread.
class Control {
 public:
  enum class Ask { GoOn, Cancel, Pause };

  virtual ~Control() = default;
  virtual Ask ask() = 0;  // read at every step boundary
  virtual void report(const Progress& progress) = 0;
  /// What the video looks like so far, small; as often as the request says, after the report of its
  /// step.
  virtual void preview(Image) {}
};

/// A generation stopped at a step boundary, to be gone on with by the same build, model and
/// layout: the fingerprint says which.
struct Snapshot {
  std::string fingerprint;
  std::shared_ptr<const void> state;  // the generator's own
};

struct Outcome {
  enum class Kind { Done, Cancelled, Paused };
  Kind kind = Kind::Done;
  Snapshot snapshot;  // when Paused

  // When Done or Paused: seconds by stage in this call, and the device's peak memory if known.
  double text_seconds = 0, image_seconds = 0, encode_seconds = 0;  // the image encoder's, the VAE's
  double denoise_seconds = 0, decode_seconds = 0;
  std::optional<double> peak_memory_mb;
};

struct State {
  enum class Phase { Loading, Ready, Failed };
  Phase phase = Phase::Loading;
  std::string stage;    // of loading: "transformer", "warm-up", …
  double fraction = 0;  // of loading, in [0, 1]
  std::string why;      // it failed
};

/// Makes videos: the one seam between the server and the engine.
///
/// All but `generate` may be called from any thread and never wait for it.
class Generator {
 public:
  virtual ~Generator() = default;

  /// What this model takes and makes. Constant; known before the weights are loaded.
  virtual const Description& describe() const = 0;

  virtual State state() const = 0;

  /// What `request` comes to. Throws Error(InvalidArgument) naming the field that this model
  /// cannot do.
  virtual ResolvedRequest check(const VideoRequest& request) const = 0;

  /// How many generate() calls may run side by side.
  virtual int slots() const = 0;

  /// Makes output number `output` of `request` and returns when its last frame has been handed
  /// to `sink`. With `snapshot`, goes on from there. Throws Error.
  virtual Outcome generate(const ResolvedRequest& request, int output, const Snapshot* snapshot,
                           FrameSink& sink, Control& control) = 0;
};

}  // namespace reel::gen
