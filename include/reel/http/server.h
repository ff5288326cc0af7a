#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "reel/base/metrics.h"
#include "reel/gen/generator.h"
#include "reel/http/api_keys.h"
#include "reel/http/certificate.h"
#include "reel/jobs/blob_store.h"
#include "reel/jobs/input_loader.h"
#include "reel/jobs/job_store.h"
#include "reel/jobs/webhooks.h"

namespace reel::http {

struct Options {
  std::string host = "127.0.0.1";
  int port = 30000;             // 0: any that is free
  bool strict_ports = false;    // else a taken port means one further on, as with SGLang
  std::string public_url = {};  // "https://videos.example": what `url` begins with; "": from Host
  std::vector<std::string> allowed_hosts = {};  // what Host may be, beside names of this machine;
                                                // asked for on loopback, and if there are any
  std::vector<std::string> cors_origins = {};   // whose pages may ask: "https://app.example"
  Certificate certificate = {};                 // for TLS; none: in the clear
  int threads = 0;                              // for requests without a body; 0: as many as cores
  size_t max_connections = 16'000;
  std::chrono::seconds url_life{3600};  // of signed URLs, at least
  std::chrono::seconds sync_wait{590};  // for an image or a /sync video: SDKs give up after 600
  int preview_steps = 0;                // of a video, if the request does not say
};

/// What the routes are about. All of it outlives the server.
struct Services {
  jobs::JobStore& jobs;
  jobs::BlobStore& blobs;
  const gen::Generator& generator;
  Metrics& metrics;
  jobs::InputLoader& inputs;
  const jobs::Webhooks* webhooks = nullptr;  // none: none are sent
};

/// The HTTP API of this process: SGLang's paths and fields, made right for the OpenAI SDKs.
class Server {
 public:
  /// With `keys`, clients must come with one of them; only probes and metrics are open.
  Server(Options options, Services services, ApiKeys keys = {});
  ~Server();  // stop()

  /// Binds and begins to answer. Throws Error(InvalidArgument) with param "host" or "port".
  void start();

  /// That it is bound to, once started.
  int port() const;

  /// From now on these are the keys.
  void use(ApiKeys keys);

  /// For the connections from now on, of a server that was started with one.
  void use(Certificate certificate);

  /// From now on new jobs are refused with 503; all else goes on.
  void begin_drain();

  /// Takes no more connections, and waits a few seconds for replies under way.
  void stop();

 private:
  struct Running;
  std::unique_ptr<Running> running_;
};

}  // namespace reel::http
