#include "reel/cli/run.h"

#include <iostream>

#include "commands.h"
#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::cli {
namespace {

int run(const Flags& flags) {
  log::set_level(log::parse_level(flags.log_level));
  switch (flags.command) {
    case Command::Serve:
      return serve(flags);
    case Command::Generate:
      return generate(flags);
    case Command::Bench:
      return bench(flags.bench);
    case Command::Tokenize:
      break;
  }
  return tokenize(flags.tokenize);
}

}  // namespace

int run(int argc, const char* const* argv) {
  try {
    const auto flags = parse_flags(argc, argv);
    const int status = flags ? run(*flags) : 0;
    if (!std::cout.flush() && status == 0) {
      throw Error(ErrorCode::StorageFull, "standard output: not all could be written");
    }
    return status;
  } catch (const Error& error) {
    std::cerr << "serve: " << error.what() << '\n';
    const bool asked_wrongly = error.code() == ErrorCode::InvalidArgument ||
                               error.code() == ErrorCode::BadModel ||
                               error.code() == ErrorCode::TooLarge;
    return asked_wrongly ? 2 : 1;
  } catch (const std::exception& error) {
    std::cerr << "serve: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace reel::cli
