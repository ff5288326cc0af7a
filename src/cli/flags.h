#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reel/engine/engine.h"
#include "reel/gen/video_request.h"
#include "reel/jobs/queue_policy.h"

namespace reel::cli {

struct ServerFlags {
  std::string host = "127.0.0.1";
  int port = 30000;
  bool strict_ports = false;
  std::string public_url;
  std::vector<std::string> allowed_hosts, cors_origins;
  std::string webhook_secret, webhook_url;  // "": none
  bool private_webhooks = false;
  std::string tls_cert, tls_key;      // "": none
  std::string api_key_file, api_key;  // "": none
  std::string output_path = "outputs";
  int max_queue = 1000;
  int max_queue_per_key = 0;  // 0: no limit
  jobs::QueueOrder queue_policy = jobs::QueueOrder::Fifo;
  uint64_t output_quota = 0;        // bytes; 0: none
  int64_t job_ttl = 7 * 24 * 3600;  // seconds; 0: for ever
  double drain_timeout = 30;        // seconds
  std::string url_fetch = "public";
  std::vector<std::string> input_roots;
  int preview_steps = 5;  // 0: none
};

struct GenerateFlags {
  std::vector<std::string> prompts;
  std::string prompt_path;
  gen::VideoRequest request;  // all but the prompt
  std::string output_path = "outputs";
  std::string output_file_name;
  std::string output_file_path;
  std::string output_quality = "default";
  std::optional<int> output_compression;
  bool save_output = true;
  std::string dump;            // a folder; empty: none
  std::string perf_dump_path;  // a JSON file; empty: none
};

struct BenchFlags {
  std::string base_url;
  std::string host = "localhost";
  int port = 30000;
  std::string model = "default";
  std::string task = "text-to-video";  // or "image-to-video"
  std::string input_reference;         // a picture file
  std::string dataset = "random";
  std::string dataset_path;
  std::string random_request_config;  // JSON; "": all requests alike
  unsigned random_request_seed = 42;
  int num_prompts = 10;
  int num_outputs_per_prompt = 1;
  int max_concurrency = 1;
  double request_rate = 0;  // a second; 0: all at once
  std::optional<int> width, height, num_frames, fps, num_inference_steps;
  int warmup_requests = 1;
  int warmup_inference_steps = 1;
  bool slo = false;
  double slo_scale = 3;  // how many times longer than a warm-up
  std::string extra_body = "{}";
  std::string output_file;
};

struct TokenizeFlags {
  std::string model_path;
  bool jsonl = false;
  int max_length = 512;
};

enum class Command { Serve, Generate, Bench, Tokenize };

struct Flags {
  Command command = Command::Serve;
  std::string log_level = "info";
  engine::Options model;
  ServerFlags server;
  GenerateFlags generate;
  BenchFlags bench;
  TokenizeFlags tokenize;
};

/// Reads the command line, and the file that `--config` names (its flags yield to the command
/// line's). Nothing when `--help` or `--version` was asked for and answered.
/// Throws Error(InvalidArgument): one line for a person.
std::optional<Flags> parse_flags(int argc, const char* const* argv);

}  // namespace reel::cli
