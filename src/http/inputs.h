#pragma once

#include <functional>

#include "api.h"
#include "reel/gen/inputs.h"

namespace reel::http {

/// Goes on with `request` once its inputs are there: at once if there are none, else when they have
/// been fetched and decoded on threads of their own. `go` runs on a worker.
Answer with_inputs(Request& request, const Api& api, gen::Inputs inputs,
                   std::function<Answer(const Request&, gen::Inputs)> go);

}  // namespace reel::http
