#include "inputs.h"

#include <utility>

namespace reel::http {
namespace {

/// First the inputs are waited for, then what the answer to the request waits for.
struct Loading {
  explicit Loading(const Api& all) : api(all) {}

  const Api& api;
  Request request;
  std::future<gen::Inputs> inputs;
  std::stop_source unwanted;
  std::function<Answer(const Request&, gen::Inputs)> go;
  std::optional<Wait> wait;

  std::optional<Ready> poll() {
    if (wait) return wait->poll();
    if (inputs.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
    api.require_open();  // still
    Answer answer = go(request, inputs.get());
    if (auto* ready = std::get_if<Ready>(&answer)) return std::move(*ready);
    wait = std::get<Wait>(std::move(answer));
    return wait->poll();
  }
};

}  // namespace

Answer with_inputs(Request& request, const Api& api, gen::Inputs inputs,
                   std::function<Answer(const Request&, gen::Inputs)> go) {
  if (!gen::any(inputs)) return go(request, std::move(inputs));
  const auto loading = std::make_shared<Loading>(api);
  loading->inputs = api.services.inputs.begin(std::move(inputs), loading->unwanted.get_token());
  loading->request = std::move(request);
  loading->go = std::move(go);
  Wait wait;
  wait.poll = [loading] { return loading->poll(); };
  wait.gone = [loading] {
    loading->unwanted.request_stop();
    if (loading->wait) loading->wait->gone();
  };
  return wait;
}

}  // namespace reel::http
