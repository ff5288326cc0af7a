#include "reel/jobs/media_writer.h"

#include <fstream>
#include <iterator>

#include "runner_test.h"

namespace reel::jobs {
namespace {

std::string head_of(const Blob& blob) {
  std::ifstream file(blob.path, std::ios::binary);
  std::string head(12, '\0');
  file.read(head.data(), 12);
  return head;
}

TEST_F(RunnerTest, WritesRealFiles) {
  const auto video = submit(), image = submit("a square", 1, Kind::Image);
  const auto runner = run(media_writers("wan", true));
  const Job made = finished(video);
  ASSERT_EQ(made.status, Status::Completed) << made.error->message;
  const auto mp4 = blobs_.find(made.result->outputs[0].blob);
  EXPECT_EQ(mp4->bytes, made.result->outputs[0].bytes);
  EXPECT_EQ(head_of(*mp4).substr(4, 4), "ftyp");

  const Output& output = made.result->outputs[0];
  const auto thumbnail = blobs_.find(output.thumbnail), sheet = blobs_.find(output.spritesheet);
  ASSERT_TRUE(thumbnail && sheet);
  EXPECT_EQ(output.picture_bytes, thumbnail->bytes + sheet->bytes);
  EXPECT_EQ(head_of(*thumbnail).substr(8, 4), "WEBP");
  EXPECT_EQ(head_of(*sheet).substr(0, 3), "\xff\xd8\xff");
  remove_files(blobs_, made.result->outputs);
  EXPECT_FALSE(blobs_.find(output.thumbnail) || blobs_.find(output.spritesheet));

  const Job still = finished(image);
  ASSERT_EQ(still.status, Status::Completed) << still.error->message;
  EXPECT_EQ(head_of(*blobs_.find(still.result->outputs[0].blob)).substr(0, 3), "\xff\xd8\xff");
}

TEST_F(RunnerTest, GivesTheSameSeedTheSameBytes) {
  const auto first = submit(), second = submit();
  const auto runner = run(media_writers("wan", true));
  const auto bytes = [&](const std::string& id) {
    std::ifstream file(blobs_.find(finished(id).result->outputs.at(0).blob)->path,
                       std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string made = bytes(first);
  EXPECT_FALSE(made.empty());
  EXPECT_TRUE(made == bytes(second));
}

TEST_F(RunnerTest, LeavesPicturesOutWhenTheyAreNotWanted) {
  const auto video = submit();
  const auto runner = run(media_writers("wan", false));
  const Output output = finished(video).result->outputs.at(0);
  EXPECT_TRUE(output.thumbnail.empty() && output.spritesheet.empty());
}

TEST_F(RunnerTest, KeepsNoPictureOfAVideoWhoseFileFails) {
  const auto video = submit();
  std::filesystem::create_directory(folder_ / (video + ".mp4"));  // in the file's place
  const auto runner = run(media_writers("wan", true));
  EXPECT_EQ(finished(video).status, Status::Failed);
  EXPECT_EQ(files(), std::vector{video + ".mp4"});
}

}  // namespace
}  // namespace reel::jobs
