#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reel/base/error.h"
#include "reel/gen/generator.h"
#include "reel/gen/image_request.h"

namespace reel::jobs {

enum class Kind { Video, Image };

enum class Status { Queued, InProgress, Completed, Failed, Cancelled };

std::string_view name(Kind kind);      // "video", "image"
std::string_view name(Status status);  // "queued", "in_progress", …, "cancelled"

constexpr bool is_final(Status status) {
  return status == Status::Completed || status == Status::Failed || status == Status::Cancelled;
}

/// True if a job may go from one status to the other.
constexpr bool may_become(Status from, Status to) {
  switch (from) {
    case Status::Queued:
      return to == Status::InProgress || to == Status::Failed || to == Status::Cancelled;
    case Status::InProgress:
      return is_final(to);
    case Status::Completed:
    case Status::Failed:
    case Status::Cancelled:
      return false;
  }
  return false;
}

/// What a job shall make. Never changes, so snapshots of a job share it.
struct JobSpec {
  Kind kind = Kind::Video;
  std::string model;  // as the request named it
  gen::ResolvedRequest request;
  int quality = 50;                                        // of the encoded file, 0 to 100
  gen::ImageFormat image_format = gen::ImageFormat::Jpeg;  // when kind is Image
  std::optional<std::string> remixed_from{};               // id of another job
  int priority = 0;                                        // the higher goes first
  std::optional<double> timeout_s{};                       // from submission to the end
  std::string webhook_url{};                               // told when it has ended; "": nobody
  std::string owner{};  // name of the API key it came with; "": none
};

/// `spec` without the contents of its inputs: itself if it has none.
std::shared_ptr<const JobSpec> without_contents(std::shared_ptr<const JobSpec> spec);

/// A picture of what is being made, and how many came before it of the same output.
struct Preview {
  gen::ImageFormat format = gen::ImageFormat::Webp;
  std::string bytes;  // of a file
  int index = 0;
};

struct JobProgress {
  gen::Stage stage = gen::Stage::TextEncoding;
  int output = 0;  // the one at work
  int step = 0;    // done so far in this stage
  int steps = 0;
  int percent = 0;  // of the whole job; never goes down, 100 only when completed
  std::optional<double> eta_seconds{};       // until completed
  std::shared_ptr<const Preview> preview{};  // when this tells of a new one
};

/// Why a job failed or was cancelled: for the API's `error`.
struct JobError {
  std::string code;  // "generation_failed", "out_of_memory", "storage_full", "cancelled", "timeout"
  std::string message;
};

/// The code of JobError for what was thrown.
std::string_view job_error_code(ErrorCode code);

/// One finished file, kept in the BlobStore, and the pictures that go with it.
struct Output {
  std::string blob;
  uint64_t bytes = 0;
  std::string thumbnail{}, spritesheet{};  // blobs; "": none
  uint64_t picture_bytes = 0;              // of both
};

struct StageSeconds {
  double text_encode = 0, image_encode = 0, vae_encode = 0, denoise = 0, vae_decode = 0;
};

/// What all its files take.
inline uint64_t bytes_of(const std::vector<Output>& outputs) {
  uint64_t bytes = 0;
  for (const Output& output : outputs) bytes += output.bytes + output.picture_bytes;
  return bytes;
}

/// What a completed job brought.
struct Result {
  std::vector<Output> outputs;
  double inference_time_s = 0;  // in the generator, all outputs together
  std::optional<double> peak_memory_mb;
  StageSeconds stages;
};

/// A job as it is at one moment. Cheap to copy.
struct Job {
  std::string id;  // "video_" or "image_" and 32 hex digits
  std::shared_ptr<const JobSpec> spec;
  Status status = Status::Queued;  // InProgress also while it waits to go on
  uint64_t sequence = 0;           // order of submission
  int64_t created_at = 0;          // Unix seconds
  std::optional<int64_t> started_at;
  std::optional<int64_t> completed_at;   // also of a failed or cancelled job
  std::optional<int64_t> expires_at;     // when it goes, with its files; none: stays, or not ended
  std::optional<size_t> queue_position;  // while it waits, also paused: who goes before
  JobProgress progress;
  std::optional<JobError> error;  // when failed or cancelled
  std::optional<Result> result;   // when completed
};

}  // namespace reel::jobs
