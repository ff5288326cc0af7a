#include "generators.h"
#include "reel/base/error.h"

namespace reel::cli {

std::unique_ptr<gen::Generator> make_engine(engine::Options options) {
  throw Error(ErrorCode::Unsupported, "--model-path " + options.model_path.string() +
                                          ": this build has no libtorch, only fake:");
}

}  // namespace reel::cli
