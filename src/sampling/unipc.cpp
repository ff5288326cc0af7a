#include "unipc.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "flow_sigmas.h"

namespace reel::sampling {
namespace {

std::vector<double> unipc_levels(const config::SchedulerConfig& config, double shift, int steps) {
  std::vector<double> levels = linspace(1, 1.0 / config.num_train_timesteps, steps + 1);
  levels.pop_back();
  for (double& sigma : levels) sigma = shift_sigma(sigma, shift);
  if (config.shift_terminal) stretch(levels, *config.shift_terminal);
  // log(1 − σ) has to be finite.
  if (std::abs(levels[0] - 1) < 1e-6) levels[0] -= 1e-6;
  return levels;
}

at::Tensor with_last(std::vector<double> levels, double last) {
  levels.push_back(last);
  return at::tensor(levels).to(at::kFloat);
}

/// ρ of Σ_j r_j^(k−1) ρ_j = b_k, k = 1…n: the weights of the differences (UniPC, eq. 10).
std::vector<at::Tensor> weights(const std::vector<at::Tensor>& ratios, const at::Tensor& hh,
                                const at::Tensor& b_h) {
  const at::Tensor r = at::stack(ratios);
  std::vector<at::Tensor> rows, right;
  at::Tensor phi = at::expm1(hh) / hh - 1;
  double factorial = 1;
  for (size_t k = 1; k <= ratios.size(); ++k) {
    rows.push_back(at::pow(r, static_cast<int64_t>(k) - 1));
    right.push_back(phi * factorial / b_h);
    factorial *= static_cast<double>(k) + 1;
    phi = phi / hh - 1 / factorial;
  }
  return at::linalg_solve(at::stack(rows), at::stack(right)).unbind();
}

at::Tensor half() { return at::scalar_tensor(0.5, at::kFloat); }

at::Tensor weighted_sum(const std::vector<at::Tensor>& rho, const std::vector<at::Tensor>& terms) {
  at::Tensor sum = rho[0] * terms[0];
  for (size_t k = 1; k < terms.size(); ++k) sum = sum + rho[k] * terms[k];
  return sum;
}

}  // namespace

/// What predictor and corrector share of one move from level s to the level t after it.
struct UniPC::Expansion {
  at::Tensor first_order;               // σ_t/σ_s x − α_t (e^hh − 1) m
  at::Tensor scale;                     // α_t B(h)
  std::vector<at::Tensor> ratios;       // r_j = (λ_{s−j} − λ_s) / h
  std::vector<at::Tensor> differences;  // (m_{s−j} − m_s) / r_j
  at::Tensor hh;                        // −h
  at::Tensor b_h;
};

UniPC::UniPC(const config::SchedulerConfig& config, double shift, int steps)
    : UniPC(config, unipc_levels(config, shift, steps)) {}

UniPC::UniPC(const config::SchedulerConfig& config, const std::vector<double>& levels)
    : Scheduler(with_last(levels, config.final_sigmas_type == "zero" ? 0 : levels.back()),
                (at::tensor(levels) * config.num_train_timesteps).to(at::kLong),
                config.num_train_timesteps),
      config_(config) {}

at::Tensor UniPC::lambda(int i) const {
  const at::Tensor sigma = sigmas()[i];
  return at::log(1 - sigma) - at::log(sigma);
}

UniPC::Expansion UniPC::expand(int from, int order, const at::Tensor& x,
                               const std::vector<at::Tensor>& outputs) const {
  const at::Tensor sigma_s = sigmas()[from], sigma_t = sigmas()[from + 1];
  const at::Tensor alpha_t = 1 - sigma_t;
  const at::Tensor lambda_s = lambda(from);
  const at::Tensor h = lambda(from + 1) - lambda_s;
  const at::Tensor& m = outputs.back();

  Expansion e;
  e.hh = -h;
  const at::Tensor phi = at::expm1(e.hh);
  e.b_h = config_.solver_type == "bh1" ? e.hh : phi;
  e.first_order = sigma_t / sigma_s * x - alpha_t * phi * m;
  e.scale = alpha_t * e.b_h;
  for (int j = 1; j < order; ++j) {
    e.ratios.push_back((lambda(from - j) - lambda_s) / h);
    const at::Tensor& older = outputs[outputs.size() - 1 - static_cast<size_t>(j)];
    e.differences.push_back((older - m) / e.ratios.back());
  }
  return e;
}

at::Tensor UniPC::correct(const at::Tensor& x0, int i, const History& history) const {
  Expansion e = expand(i - 1, history.order, history.last_sample, history.model_outputs);
  e.ratios.push_back(at::scalar_tensor(1, at::kFloat));
  e.differences.push_back(x0 - history.model_outputs.back());
  const auto rho =
      history.order == 1 ? std::vector<at::Tensor>{half()} : weights(e.ratios, e.hh, e.b_h);
  return e.first_order - e.scale * weighted_sum(rho, e.differences);
}

at::Tensor UniPC::predict(const at::Tensor& sample, int i, const History& history) const {
  const Expansion e = expand(i, history.order, sample, history.model_outputs);
  // Diffusers subtracts scale · 0 here, which for bh1 at the last level is ∞ · 0.
  if (history.order == 1) return e.first_order;
  const auto rho =
      history.order == 2 ? std::vector<at::Tensor>{half()} : weights(e.ratios, e.hh, e.b_h);
  return e.first_order - e.scale * weighted_sum(rho, e.differences);
}

at::Tensor UniPC::step(const at::Tensor& model_output, const at::Tensor& sample, int i,
                       History& history) const {
  const auto& skipped = config_.disable_corrector;
  const bool corrects = i > 0 && history.last_sample.defined() &&
                        std::find(skipped.begin(), skipped.end(), i - 1) == skipped.end();

  // σ first and on the host: the product has the velocity's dtype, bf16 mostly, whose rounding
  // depends on both.
  const at::Tensor x0 = sample - sigmas()[i] * model_output;
  const at::Tensor x = corrects ? correct(x0, i, history).to(sample.scalar_type()) : sample;

  auto& outputs = history.model_outputs;
  outputs.push_back(x0);
  if (outputs.size() > static_cast<size_t>(config_.solver_order)) outputs.erase(outputs.begin());

  int order = config_.solver_order;
  if (config_.lower_order_final) order = std::min(order, steps() - i);
  history.order = std::min(order, history.warm_up + 1);
  history.warm_up = std::min(history.warm_up + 1, config_.solver_order);
  history.last_sample = x;
  return predict(x, i, history).to(sample.scalar_type());
}

}  // namespace reel::sampling
