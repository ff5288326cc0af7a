#pragma once

#include <cstdint>
#include <string>

#include "message.h"
#include "reel/jobs/blob_store.h"
#include "reel/jobs/job.h"

namespace reel::http {

/// A file of a completed job as a reply: whole, the one range that was asked for, 304, or 416.
/// Several ranges at once are answered with the whole. Throws Error(NotFound).
Ready content_reply(const Request& request, const jobs::BlobStore& blobs, const jobs::Job& job,
                    const std::string& name, const std::string& content_type);

struct ByteRange {
  enum class Kind { Whole, Part, Unsatisfiable };
  Kind kind = Kind::Whole;
  uint64_t offset = 0, length = 0;
};

/// Reads a Range header against a file of `size` bytes (RFC 9110 §14.2); what cannot be
/// understood means the whole.
ByteRange parse_range(std::string_view header, uint64_t size);

}  // namespace reel::http
