#include "generators.h"

namespace reel::cli {

std::unique_ptr<gen::Generator> make_engine(engine::Options options) {
  return std::make_unique<engine::Engine>(std::move(options));
}

}  // namespace reel::cli
