#include "reel/media/contact_sheet.h"

#include <gtest/gtest.h>

namespace reel::media {
namespace {

/// A video whose frame number n is grey of that number.
gen::Image sheet_of(int width, int height, int count) {
  ContactSheet sheet({width, height, 16, count});
  for (int first = 0; first < count; first += 3) {
    gen::Frames frames{std::min(3, count - first), width, height, {}};
    for (int i = 0; i < frames.count; ++i) {
      frames.rgb.insert(frames.rgb.end(), frames.frame_bytes(), static_cast<uint8_t>(first + i));
    }
    sheet.add(frames);
  }
  return sheet.picture();
}

int grey_at(const gen::Image& picture, int x, int y) {
  return picture
      .rgb[(static_cast<size_t>(y) * static_cast<size_t>(picture.width) + static_cast<size_t>(x)) *
           3];
}

TEST(ContactSheet, SpreadsItsTilesFromTheFirstFrameToTheLast) {
  const gen::Image picture = sheet_of(832, 480, 81);
  EXPECT_EQ(picture.width, 4 * 192);
  EXPECT_EQ(picture.height, 4 * 110);
  int last = -1;
  for (int tile = 0; tile < 16; ++tile) {
    const int grey = grey_at(picture, tile % 4 * 192 + 96, tile / 4 * 110 + 55);
    EXPECT_NEAR(grey, tile * 80 / 15, 1) << tile;
    EXPECT_GT(grey, last);
    last = grey;
  }
}

TEST(ContactSheet, HasNoMoreTilesThanFrames) {
  const gen::Image one = sheet_of(64, 48, 1);
  EXPECT_EQ(one.width, 64);
  EXPECT_EQ(one.height, 48);
  const gen::Image five = sheet_of(64, 48, 5);
  EXPECT_EQ(five.width, 3 * 64);
  EXPECT_EQ(five.height, 2 * 48);
  EXPECT_EQ(grey_at(five, 64 + 32, 48 + 24), 4);
  EXPECT_EQ(grey_at(five, 2 * 64 + 32, 48 + 24), 0);  // no tile there
}

TEST(ContactSheet, TakesAnyShape) {
  EXPECT_EQ(sheet_of(16, 1600, 2).width, 2 * 1);
  EXPECT_EQ(sheet_of(1600, 16, 2).height, 1);
  EXPECT_EQ(sheet_of(2, 2, 3).width, 2 * 2);
}

}  // namespace
}  // namespace reel::media
