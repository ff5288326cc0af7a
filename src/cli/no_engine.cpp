#include "generators.h"
#include "reel/base/error.h"

namespace reel::cli {

std::unique_ptr<gen::Generator> make_engine(const ModelFlags& flags, const std::string& /*dump*/) {
  throw Error(ErrorCode::Unsupported,
              "--model-path " + flags.model_path + ": this build has no libtorch, only fake:");
}

}  // namespace reel::cli
