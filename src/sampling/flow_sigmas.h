#pragma once

#include <vector>

namespace reel::sampling {

/// numpy's linspace, ends included, operation by operation: timesteps are truncated to integers,
/// so that the last bit counts.
std::vector<double> linspace(double start, double stop, int count);

/// Moves a noise level in (0, 1], or a tensor of them, towards 1 by `shift` > 1.
template <class Sigma>
Sigma shift_sigma(const Sigma& sigma, double shift) {
  return shift * sigma / (1 + (shift - 1) * sigma);
}

/// Stretches falling noise levels so that the last becomes `terminal`; 1 stays 1.
void stretch(std::vector<double>& levels, double terminal);

}  // namespace reel::sampling
