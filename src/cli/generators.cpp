#include "generators.h"

#include "reel/gen/fake_generator.h"

namespace reel::cli {

std::unique_ptr<gen::Generator> make_generator(engine::Options options) {
  const std::string path = options.model_path.string();
  if (!gen::is_fake(path)) return make_engine(std::move(options));
  return std::make_unique<gen::FakeGenerator>(gen::parse_fake_options(path));
}

}  // namespace reel::cli
