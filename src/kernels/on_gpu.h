#pragma once

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "gpu_rows.h"
#include "reel/kernels/norms.h"

/// From tensors to the pointers of token_rows.h.
namespace reel::kernels {

/// Whether there is a fused pass for x.
inline bool is_fused(const at::Tensor& x) {
  return has_passes(x.device(), x.scalar_type()) &&
         (x.is_cpu() || (x.numel() > 0 && gpu::fits(x.numel() / x.size(-1), x.size(-1))));
}

inline uint32_t tokens_of(const at::Tensor& x) {
  return static_cast<uint32_t>(x.numel() / x.size(-1));
}

/// Null for an undefined tensor.
template <class T>
T* values(const at::Tensor& x) {
  return x.defined() ? static_cast<T*>(x.data_ptr()) : nullptr;
}

/// Calls start(stream) with the stream that is current on x's device; it says why it did not.
template <class Start>
void start_on_gpu(const at::Tensor& x, const Start& start) {
  const c10::OptionalDeviceGuard guard(x.device());
  const c10::impl::VirtualGuardImpl device(x.device().type());
  const char* why = start(device.getStream(x.device()).native_handle());
  TORCH_CHECK(!why, "a fused kernel did not start: ", why);
}

template <class Work>
void run_on_gpu(const Work& work, const at::Tensor& x) {
  start_on_gpu(
      x, [&](void* stream) { return gpu::run(work, x.scalar_type() == at::kBFloat16, stream); });
}

}  // namespace reel::kernels
