#include "server_flags.h"

#include <CLI/CLI.hpp>

#include "boolean_flag.h"
#include "checks.h"

namespace reel::cli {

void add_server_flags(CLI::App& app, ServerFlags& s) {
  app.add_option("--host", s.host, "address to listen on")->group("Server");
  app.add_option("--port", s.port, "taken: the next free of port + 42, + 84, …")
      ->check(CLI::Range(0, 65535))
      ->group("Server");
  add_boolean(app, "--strict-ports", s.strict_ports, "fail when the port is taken")
      ->group("Server");
  app.add_option("--public-url", s.public_url, "what URLs in replies begin with")
      ->check(check_url)
      ->group("Server");
  app.add_option("--allowed-hosts", s.allowed_hosts,
                 "other names of this server in Host. On a loopback --host, or with any given, "
                 "requests under names not known are refused")
      ->check(check_host)
      ->group("Server");
  app.add_option("--cors-origin", s.cors_origins,
                 "origins, such as https://app.example, whose pages may ask and read replies")
      ->check(check_origin)
      ->group("Server");
  auto* cert = app.add_option("--tls-cert", s.tls_cert,
                              "PEM file of the certificate and its chain, for https. SIGHUP: read "
                              "again, for new connections");
  auto* key = app.add_option("--tls-key", s.tls_key, "PEM file of its private key");
  for (auto [one, other] : {std::pair{cert, key}, {key, cert}}) one->needs(other)->group("Server");
  app.add_option("--api-key-file", s.api_key_file,
                 "keys of the clients, one a line: key, or name:key; # begins a comment. Without "
                 "one, only probes and /metrics answer. SIGHUP: read again")
      ->check(check_given)
      ->group("Server");
  app.add_option("--api-key", s.api_key, "one more key; other users of this machine can see it")
      ->envname("REEL_API_KEY")
      ->check(check_given)
      ->group("Server");
  auto* secret = app.add_option("--webhook-secret", s.webhook_secret,
                                "whsec_…, signs the events that `webhook_url` of a request asks "
                                "for; other users of this machine can see it");
  secret->envname("REEL_WEBHOOK_SECRET")->check(check_given)->group("Server");
  app.add_option("--webhook-url", s.webhook_url, "is told of every video that has ended")
      ->check(check_url)
      ->needs(secret)
      ->group("Server");
  add_boolean(app, "--private-webhooks", s.private_webhooks,
              "let requests name addresses of this machine and of private networks")
      ->needs(secret)
      ->group("Server");
  app.add_option("--output-path", s.output_path, "folder of the videos and images made")
      ->check(check_folder)
      ->group("Server");
  app.add_option("--max-queue", s.max_queue, "jobs that may wait; more get 429")
      ->check(CLI::Range(1, 1'000'000))
      ->group("Server");
  app.add_option("--max-queue-per-key", s.max_queue_per_key,
                 "jobs that may wait of one API key; 0: no limit")
      ->check(CLI::Range(0, 1'000'000))
      ->group("Server");
  app.add_option_function<std::string>(
         "--queue-policy",
         [&s](const std::string& policy) {
           s.queue_policy =
               policy == "shortest" ? jobs::QueueOrder::Shortest : jobs::QueueOrder::Fifo;
         },
         "after `priority` and by turns between API keys: fifo, or shortest: short jobs go before "
         "and interrupt long ones, for at most 8 times the long one's own work")
      ->check(CLI::IsMember({"fifo", "shortest"}))
      ->default_str("fifo")
      ->group("Server");
  app.add_option("--job-ttl", s.job_ttl,
                 "seconds that a finished job and its files are kept, as `expires_at` tells; "
                 "0: for ever")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000'000}))
      ->group("Server");
  app.add_option("--output-quota", s.output_quota,
                 "bytes (500MB, 20GB, …) that the files of finished jobs may take: the oldest go "
                 "with their jobs; 0: no end")
      ->transform(CLI::AsSizeValue(false))
      ->transform(CLI::Validator([](std::string& text) { return check_unsigned(text); }, "", ""))
      ->group("Server");
  app.add_option(
         "--drain-timeout", s.drain_timeout,
         "seconds for the running job after SIGTERM, which ends those that wait; then up to 5 "
         "for last polls")
      ->check(number_from(0, 86400))
      ->group("Server");
  app.add_option("--preview-steps", s.preview_steps,
                 "denoising steps between two previews among a video's events; 0: none")
      ->check(CLI::Range(0, 1000))
      ->group("Server");
  app.add_option("--url-fetch", s.url_fetch,
                 "which URLs of pictures and videos are fetched: off, public (addresses of the "
                 "Internet) or all")
      ->check(CLI::IsMember({"off", "public", "all"}))
      ->group("Server");
  app.add_option("--input-root", s.input_roots,
                 "folders on this machine that requests may name files in; none: no paths")
      ->check(CLI::ExistingDirectory)
      ->group("Server");
}

}  // namespace reel::cli
