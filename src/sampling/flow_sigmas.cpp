#include "flow_sigmas.h"

namespace reel::sampling {

std::vector<double> linspace(double start, double stop, int count) {
  std::vector<double> points(static_cast<size_t>(count), start);
  const double step = (stop - start) / (count - 1);
  for (int k = 1; k < count; ++k) points[static_cast<size_t>(k)] = k * step + start;
  if (count > 1) points.back() = stop;
  return points;
}

void stretch(std::vector<double>& levels, double terminal) {
  if (levels.back() == 1) return;  // a single step: Diffusers divides zero by zero
  const double scale = (1 - levels.back()) / (1 - terminal);
  for (double& sigma : levels) sigma = 1 - (1 - sigma) / scale;
}

}  // namespace reel::sampling
