#include "generators.h"

#include "reel/gen/fake_generator.h"

namespace reel::cli {

std::unique_ptr<gen::Generator> make_engine(const ModelFlags& flags, const std::string& dump);

std::unique_ptr<gen::Generator> make_generator(const ModelFlags& flags, const std::string& dump) {
  if (gen::is_fake(flags.model_path)) {
    return std::make_unique<gen::FakeGenerator>(gen::parse_fake_options(flags.model_path));
  }
  return make_engine(flags, dump);
}

}  // namespace reel::cli
