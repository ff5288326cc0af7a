#include "reel/jobs/retention.h"

#include "server_fixture.h"

namespace reel::http {
namespace {

using json = nlohmann::json;

class OldVideos : public ServerTest {};

TEST_F(OldVideos, ExpireWithTheirFiles) {
  start();
  auto one = client();
  const json video = finished_video(one);
  const std::string path = "/v1/videos/" + video["id"].get<std::string>();
  const int64_t end = video["expires_at"];
  EXPECT_EQ(end, video["completed_at"].get<int64_t>() + kTtl.count());

  jobs::remove_expired(*jobs_, *blobs_, end);
  EXPECT_EQ(one.get(path + "/content").status, 200);
  jobs::remove_expired(*jobs_, *blobs_, end + 1);
  expect_error(one.get(path), 410, "gone", "id");
  expect_error(one.get(path + "/content"), 410, "gone", "id");
  expect_error(one.ask("DELETE", path), 410, "gone", "id");
  expect_error(one.ask("POST", path + "/cancel"), 410, "gone", "id");
  EXPECT_FALSE(std::filesystem::exists(video["file_path"].get<std::string>()));
  EXPECT_TRUE(one.get("/v1/videos").json()["data"].empty());
}

TEST_F(OldVideos, MakeRoomForNewer) {
  start();
  auto one = client();
  std::vector<std::string> paths;
  std::vector<std::string> files;
  for (int i = 0; i < 3; ++i) {
    const json video = finished_video(one, {{"prompt", "a"}, {"num_frames", 1}});
    paths.push_back("/v1/videos/" + video["id"].get<std::string>());
    files.push_back(video["file_path"]);
  }
  const uint64_t each = 64 * 48 * 3 + std::string("a thumbnaila sprite sheet").size();
  jobs::make_room(*jobs_, *blobs_, 3 * each);
  EXPECT_EQ(one.get(paths[0]).status, 200);
  jobs::make_room(*jobs_, *blobs_, 3 * each - 1);
  const auto gone = one.get(paths[0] + "/content");
  expect_error(gone, 410, "gone", "id");
  EXPECT_NE(gone.json()["detail"].get<std::string>().find("room"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(files[0]));
  EXPECT_EQ(one.get(paths[1] + "/content").status, 200);
  one.ask("DELETE", paths[1]);
  jobs::make_room(*jobs_, *blobs_, each);
  EXPECT_EQ(one.get(paths[2] + "/content").status, 200);
}

}  // namespace
}  // namespace reel::http
