#include "reel/jobs/blob_store.h"

#include "reel/base/error.h"
#include "reel/base/log.h"
#include "reel/jobs/job.h"

namespace reel::jobs {

void remove_files(BlobStore& blobs, const std::vector<Output>& outputs) {
  for (const Output& output : outputs) {
    try {
      blobs.remove(output.blob);
    } catch (const Error& error) {
      log::warning("blob.kept", {{"file", output.blob}, {"why", error.what()}});
    }
  }
}

}  // namespace reel::jobs
