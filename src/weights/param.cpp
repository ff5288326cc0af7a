#include "reel/weights/param.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "reel/base/error.h"

namespace reel::weights {

Param& ParamSet::declare(Param param) {
  if (find(param.name) != nullptr) {
    throw Error(ErrorCode::Internal, param.name + ": declared twice");
  }
  index_.emplace(param.name, params_.size());
  return params_.emplace_back(std::move(param));
}

Packed& ParamSet::declare(Packed packed) { return packed_.emplace_back(std::move(packed)); }

Param* ParamSet::find(std::string_view name) {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &params_[found->second];
}

void ParamSet::pack() {
  for (Packed& packed : packed_) {
    std::vector<at::Tensor> sources;
    for (const Param* source : packed.sources) sources.push_back(source->tensor);
    if (!std::all_of(sources.begin(), sources.end(), [](auto& t) { return t.defined(); })) continue;
    packed.tensor = packed.recipe(sources);
    for (Param* source : packed.sources) source->tensor.reset();
  }
}

}  // namespace reel::weights
