#include "generators.h"

#include "for_flag.h"
#include "reel/gen/fake_generator.h"
#include "reel/gen/resolve.h"

namespace reel::cli {

std::unique_ptr<gen::Generator> make_generator(engine::Options options) {
  const std::string path = options.model_path.string();
  if (gen::is_fake(path)) {
    return std::make_unique<gen::FakeGenerator>(gen::parse_fake_options(path));
  }
  const auto warm_up_sizes = options.warm_up_sizes;
  auto engine = make_engine(std::move(options));
  for (const gen::Size& size : warm_up_sizes) {
    gen::VideoRequest request;
    request.prompt = "warm-up";
    request.width = size.width;
    request.height = size.height;
    for_flag("--warmup-resolutions", [&] { return gen::resolve(request, engine->describe()); });
  }
  return engine;
}

}  // namespace reel::cli
