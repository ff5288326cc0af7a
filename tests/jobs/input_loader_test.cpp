#include "reel/jobs/input_loader.h"

#include <gmock/gmock.h>

#include "page_server.h"
#include "reel/base/digest.h"
#include "reel/base/error.h"
#include "reel/media/image_codec.h"
#include "temporary_folder.h"

namespace reel::jobs {
namespace {

using testing::HasSubstr;

const gen::Image kPicture{2, 1, {1, 2, 3, 4, 5, 6}};

std::string png() { return media::encode_image(kPicture, gen::ImageFormat::Png); }

std::string data_url(const std::string& file) {
  return "data:image/png;base64," + encode_base64(file);
}

gen::Inputs image(const std::string& source) {
  gen::Inputs inputs;
  inputs.image = gen::ImageInput{"input_reference", source};
  return inputs;
}

/// What is wrong with `source`; its field must be named.
Error fault(const InputLoader& loader, const std::string& source) {
  auto inputs = image(source);
  try {
    loader.load(inputs);
  } catch (const Error& error) {
    EXPECT_EQ(error.param(), "input_reference");
    EXPECT_THAT(error.what(), HasSubstr("input_reference"));
    return error;
  }
  ADD_FAILURE() << source.substr(0, 80);
  return {ErrorCode::Internal, ""};
}

TEST(InputLoader, DecodesWhatIsSent) {
  const InputLoader loader;
  auto inputs = image(data_url(png()));
  inputs.video = gen::VideoInput{"video_reference", data_url(png())};
  inputs.reference_images = {{"reference_images", data_url(png())}};
  loader.load(inputs);
  EXPECT_EQ(inputs.image->content->rgb, kPicture.rgb);
  EXPECT_EQ(inputs.image->width, 2);
  EXPECT_EQ(inputs.image->height, 1);
  EXPECT_EQ(inputs.image->bytes, png().size());
  EXPECT_EQ(inputs.image->sha256, encode_hex(sha256(png())));
  EXPECT_EQ(inputs.image->source, "");
  EXPECT_EQ(inputs.video->frames, 1);
  EXPECT_EQ(inputs.video->content->rgb, kPicture.rgb);
  EXPECT_TRUE(inputs.reference_images[0].content);
}

TEST(InputLoader, NamesTheFieldThatIsBroken) {
  const InputLoader loader;
  EXPECT_THAT(fault(loader, "data:image/png,abc").what(), HasSubstr("base64"));
  EXPECT_THAT(fault(loader, "data:image/png;base64,###").what(), HasSubstr("base64"));
  EXPECT_EQ(fault(loader, data_url("no picture")).code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(fault(loader, data_url(png().substr(0, 40))).code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(fault(loader, "http://127.0.0.1/a.png").code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(fault(loader, "ftp://a/b.png").code(), ErrorCode::InvalidArgument);
  EXPECT_THAT(fault(loader, "").what(), HasSubstr("not kept"));
}

TEST(InputLoader, FetchesUrls) {
  test::PageServer server(
      [](const std::string&) { return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + png(); });
  InputOptions options;
  options.reach = net::Reach::Everything;
  auto inputs = image(server.url("/a.png"));
  InputLoader(options).load(inputs);
  EXPECT_EQ(inputs.image->content->rgb, kPicture.rgb);
  options.bytes = png().size() - 1;
  EXPECT_EQ(fault(InputLoader(options), server.url("/a.png")).code(), ErrorCode::TooLarge);
}

TEST(InputLoader, ReadsPathsBelowItsRootsOnly) {
  const test::TemporaryFolder folder;
  const auto inside = folder.write("root/a.png", png()).string();
  const auto outside = folder.write("outside.png", png()).string();
  std::filesystem::create_symlink(outside, folder / "root/link.png");
  folder.write("rootless/a.png", png());
  InputOptions options;
  options.roots = {folder.path() / "root/"};
  const InputLoader loader(options);
  auto inputs = image(inside);
  loader.load(inputs);
  EXPECT_TRUE(inputs.image->content);
  const auto denied = fault(loader, outside);
  for (const std::string& path :
       {folder.path().string() + "/root/../outside.png", folder.path().string() + "/root/link.png",
        folder.path().string() + "/rootless/a.png", std::string("/etc/hostname"),
        folder.path().string() + "/root/none.png", std::string("\0/a", 3)}) {
    EXPECT_STREQ(fault(loader, path).what(), denied.what()) << path;
  }
  EXPECT_THAT(fault(InputLoader(), inside).what(), HasSubstr("allows"));
}

TEST(InputLoader, ReadsAFolderOfFramesOnACommandLine) {
  const test::TemporaryFolder folder;
  folder.write("0.png", png());
  folder.write("1.png", png());
  InputOptions options;
  options.any_path = true;
  gen::Inputs inputs;
  inputs.video = gen::VideoInput{"--video-path", folder.path().string()};
  InputLoader(options).load(inputs);
  EXPECT_EQ(inputs.video->frames, 2);
  EXPECT_FALSE(inputs.video->sha256.empty());
  EXPECT_THAT(fault(InputLoader(options), folder.path().string()).what(), HasSubstr("folder"));
}

TEST(InputLoader, BoundsTheMemoryOfContentsThatAreAlive) {
  InputOptions options;
  options.memory = 5;  // bytes; a picture has 6
  const InputLoader loader(options);
  auto first = image(data_url(png()));
  loader.load(first);
  EXPECT_EQ(fault(loader, data_url(png())).code(), ErrorCode::QueueFull);
  first = {};
  auto second = image(data_url(png()));
  loader.load(second);
  EXPECT_TRUE(second.image->content);
}

TEST(InputLoader, LoadsOnItsOwnThreads) {
  InputLoader loader;
  auto good = loader.begin(image(data_url(png())));
  auto bad = loader.begin(image(data_url("no picture")));
  EXPECT_TRUE(good.get().image->content);
  EXPECT_THROW(bad.get(), Error);
}

}  // namespace
}  // namespace reel::jobs
