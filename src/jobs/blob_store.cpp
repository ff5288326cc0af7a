#include "reel/jobs/blob_store.h"

#include "reel/base/error.h"
#include "reel/base/log.h"
#include "reel/jobs/job.h"

namespace reel::jobs {

void remove_files(BlobStore& blobs, const std::vector<Output>& outputs) {
  for (const Output& output : outputs) {
    for (const std::string& name : {output.blob, output.thumbnail, output.spritesheet}) {
      try {
        if (!name.empty()) blobs.remove(name);
      } catch (const Error& error) {
        log::warning("blob.kept", {{"file", name}, {"why", error.what()}});
      }
    }
  }
}

}  // namespace reel::jobs
