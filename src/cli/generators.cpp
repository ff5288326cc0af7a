#include "generators.h"

#include "reel/gen/fake_generator.h"

namespace reel::cli {

std::unique_ptr<gen::Generator> make_generator(engine::Options options) {
  const std::string path = options.model_path.string();
  if (!gen::is_fake(path)) return make_engine(std::move(options));
  gen::FakeOptions fake = gen::parse_fake_options(path);
  if (!options.served_name.empty()) fake.name = options.served_name;
  return std::make_unique<gen::FakeGenerator>(fake);
}

}  // namespace reel::cli
