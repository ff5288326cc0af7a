#include "reel/config/scheduler_config.h"

#include "bounds.h"
#include "reel/config/json_reader.h"

namespace reel::config {
namespace {

constexpr const char* kUniPc = "UniPCMultistepScheduler";
constexpr const char* kEuler = "FlowMatchEulerDiscreteScheduler";

// A folder whose scheduler was made from another class' has that one's keys too; Diffusers lets
// them be.
void ignore_unipc(JsonReader& json) {
  json.ignore({"flow_shift", "solver_order", "solver_type", "lower_order_final",
               "disable_corrector", "final_sigmas_type", "prediction_type", "use_flow_sigmas",
               "predict_x0", "thresholding", "solver_p"});
}

void ignore_euler(JsonReader& json) {
  json.ignore({"shift", "invert_sigmas", "stochastic_sampling"});
}

void read_unipc(JsonReader& json, SchedulerConfig& c) {
  c.flow_shift = json.get("flow_shift", c.flow_shift);
  c.solver_order = json.get("solver_order", c.solver_order);
  c.solver_type = json.get("solver_type", c.solver_type);
  c.lower_order_final = json.get("lower_order_final", c.lower_order_final);
  c.disable_corrector = json.get("disable_corrector", c.disable_corrector);
  c.final_sigmas_type = json.get("final_sigmas_type", c.final_sigmas_type);
  // These two have other defaults in Diffusers: a flow model must say them.
  if (json.get<std::string>("prediction_type", "epsilon") != "flow_prediction") {
    json.fail("prediction_type", "must be flow_prediction");
  }
  if (!json.get("use_flow_sigmas", false)) json.fail("use_flow_sigmas", "must be true");
  json.expect("predict_x0", true);
  json.expect("thresholding", false);
  if (json.find<nlohmann::json>("solver_p")) json.fail("solver_p", "must be null");
}

void read_euler(JsonReader& json, SchedulerConfig& c) {
  c.shift = json.get("shift", c.shift);
  json.expect("invert_sigmas", false);
  json.expect("stochastic_sampling", false);
}

}  // namespace

std::vector<std::string> SchedulerConfig::problems() const {
  std::vector<std::string> problems;
  const auto expect_one_of = [&](std::string_view key, const std::string& value,
                                 const std::string& a, const std::string& b) {
    if (value != a && value != b) {
      problems.push_back(
          fmt::format("{}: expected {} or {}, got {}", key, a, b, value.substr(0, 80)));
    }
  };
  expect_one_of("_class_name", class_name, kUniPc, kEuler);
  expect_between(problems, "num_train_timesteps", num_train_timesteps, 1, 1'000'000);
  expect_between(problems, "flow_shift", flow_shift, 1e-3, 1e3);
  expect_between(problems, "shift", shift, 1e-3, 1e3);
  if (shift_terminal) expect_between(problems, "shift_terminal", *shift_terminal, 0.0, 0.999);
  expect_between(problems, "solver_order", solver_order, 1, 3);
  expect_one_of("solver_type", solver_type, "bh2", "bh1");
  expect_one_of("final_sigmas_type", final_sigmas_type, "zero", "sigma_min");
  const int highest = final_sigmas_type == "zero" ? 1 : 2;
  if (class_name == kUniPc && !lower_order_final && solver_order > highest) {
    problems.push_back(
        fmt::format("solver_order: {} without lower_order_final divides by zero in the last step",
                    solver_order));
  }
  for (const int step : disable_corrector) {
    expect_between(problems, "disable_corrector", step, 0, 1'000'000);
  }
  return problems;
}

SchedulerConfig read_scheduler_config(const std::filesystem::path& file,
                                      const std::string& class_name) {
  const nlohmann::json object = read_json(file);
  JsonReader json(object, file.string());
  SchedulerConfig c;
  c.class_name = class_name.empty() ? json.need<std::string>("_class_name") : class_name;
  c.num_train_timesteps = json.get("num_train_timesteps", c.num_train_timesteps);
  c.shift_terminal = json.find<double>("shift_terminal");
  if (c.shift_terminal == 0.0) c.shift_terminal.reset();  // as Python takes it
  json.expect("use_karras_sigmas", false);
  json.expect("use_exponential_sigmas", false);
  json.expect("use_beta_sigmas", false);
  json.expect("use_dynamic_shifting", false);
  // Of no effect with flow sigmas, without thresholding and without dynamic shifting.
  json.ignore({"beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr",
               "timestep_spacing", "steps_offset", "sigma_min", "sigma_max",
               "dynamic_thresholding_ratio", "sample_max_value", "time_shift_type", "base_shift",
               "max_shift", "base_image_seq_len", "max_image_seq_len"});
  if (c.class_name == kUniPc) {
    read_unipc(json, c);
    ignore_euler(json);
  } else if (c.class_name == kEuler) {
    read_euler(json, c);
    ignore_unipc(json);
  } else {
    json.check(c.problems());
  }
  json.finish();
  json.check(c.problems());
  return c;
}

SchedulerConfig scheduler_config_of(const ModelFolder& model) {
  const auto& folder = model.component("scheduler");
  const auto file = folder / "scheduler_config.json";
  try {
    const bool own = folder == model.path / "scheduler";
    if (own) return read_scheduler_config(file, model.index.components.at("scheduler").class_name);
  } catch (const Error&) {  // a flow's settings for another class, perhaps
  }
  return read_scheduler_config(file);
}

double flow_shift_of(const SchedulerConfig& config) {
  return config.class_name == kUniPc ? config.flow_shift : config.shift;
}

}  // namespace reel::config
