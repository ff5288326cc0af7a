#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace reel::weights {

/// In which dtype a parameter lives on the device.
enum class Keep {
  Compute,  // the component's compute dtype
  Fp32,     // fp32 whatever that is
};

/// One tensor of a model. Layers declare it, keep `const Param&`, and read `tensor` at call time.
struct Param {
  std::string name;            // the checkpoint's own
  std::vector<int64_t> shape;  // whole
  Keep keep = Keep::Compute;
  int tp_axis = -1;   // the dim that tensor parallelism splits; -1: none
  at::Tensor tensor;  // undefined until loaded
};

/// A form made from parameters when they are loaded: packed QKV, oneDNN's layout, fp8.
struct Packed {
  std::string name;
  std::vector<Param*> sources;  // of this form alone
  /// Any thread. Gets the sources' tensors. What it returns stands in for them: their memory is
  /// given back.
  std::function<at::Tensor(const std::vector<at::Tensor>&)> recipe;
  at::Tensor tensor;  // undefined until packed
};

/// Every parameter of one component, in order of declaration: loading, verifying, sharding,
/// LoRA and offload all walk this one list.
class ParamSet {
 public:
  /// `compute` is the dtype of parameters with Keep::Compute.
  ParamSet(at::Device device, at::ScalarType compute) : device_(device), compute_(compute) {}
  ParamSet(const ParamSet&) = delete;
  ParamSet& operator=(const ParamSet&) = delete;

  at::Device device() const { return device_; }
  at::ScalarType compute() const { return compute_; }
  at::ScalarType dtype_of(const Param& param) const {
    return param.keep == Keep::Fp32 ? at::kFloat : compute_;
  }

  /// Addresses stay valid. Throws Error(Internal) if the name is taken.
  Param& declare(Param param);
  Packed& declare(Packed packed);

  /// Null if there is none.
  Param* find(std::string_view name);

  std::deque<Param>& params() { return params_; }
  const std::deque<Param>& params() const { return params_; }
  std::deque<Packed>& packed() { return packed_; }

  /// Runs every recipe whose sources are loaded, and frees the sources.
  void pack();

 private:
  at::Device device_;
  at::ScalarType compute_;
  std::deque<Param> params_;
  std::map<std::string, size_t, std::less<>> index_;  // name to place in params_
  std::deque<Packed> packed_;
};

/// A place in a ParamSet: `scope / "attn1" / "to_q"` is the prefix "attn1.to_q.".
class ParamScope {
 public:
  explicit ParamScope(ParamSet& set, std::string prefix = {})
      : set_(&set), prefix_(std::move(prefix)) {}

  ParamScope operator/(std::string_view name) const {
    return ParamScope(*set_, prefix_ + std::string(name) + ".");
  }
  ParamScope operator/(int64_t index) const { return *this / std::to_string(index); }

  Param& declare(std::string_view name, std::vector<int64_t> shape, Keep keep = Keep::Compute,
                 int tp_axis = -1) const {
    return set_->declare({prefix_ + std::string(name), std::move(shape), keep, tp_axis, {}});
  }

  ParamSet& set() const { return *set_; }
  const std::string& prefix() const { return prefix_; }

 private:
  ParamSet* set_;
  std::string prefix_;
};

}  // namespace reel::weights
