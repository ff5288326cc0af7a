#include "reel/gen/generator.h"

namespace reel::gen {

std::string_view name(Stage stage) {
  switch (stage) {
    case Stage::TextEncoding:
      return "text_encode";
    case Stage::Denoising:
      return "denoise";
    case Stage::Decoding:
      break;
  }
  return "vae_decode";
}

}  // namespace reel::gen
