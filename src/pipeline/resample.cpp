#include "reel/pipeline/resample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "reel/base/error.h"

namespace reel::pipeline {
namespace {

constexpr int kPrecision = 32 - 8 - 2;  // bits behind the point of a weight

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double support(Filter filter) {
  return filter == Filter::Bilinear ? 1 : filter == Filter::Bicubic ? 2 : 3;
}

double weight(Filter filter, double x) {
  if (filter == Filter::Lanczos) return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
  x = std::abs(x);
  if (filter == Filter::Bilinear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/// What one pixel is the sum of: those from `first` on, each times its weight.
struct Sum {
  int first = 0;
  std::vector<int> weights;  // of kPrecision bits
};

/// For each of `count` pixels along one axis, made of the pixels between `from` and `to` of `size`.
std::vector<Sum> sums(int size, float from, float to, int count, Filter filter) {
  const double scale = static_cast<double>(to - from) / count;
  const double stretch = std::max(scale, 1.0);
  const double reach = support(filter) * stretch;
  std::vector<Sum> all(static_cast<size_t>(count));
  std::vector<double> weights;
  for (int i = 0; i < count; ++i) {
    Sum& sum = all[static_cast<size_t>(i)];
    const double centre = from + (i + 0.5) * scale;
    sum.first = std::max(static_cast<int>(centre - reach + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + reach + 0.5), size);
    weights.clear();
    double total = 0;
    for (int j = sum.first; j < end; ++j) {
      weights.push_back(weight(filter, (j - centre + 0.5) * (1.0 / stretch)));
      total += weights.back();
    }
    for (double w : weights) {
      if (total != 0) w /= total;
      sum.weights.push_back(static_cast<int>((w < 0 ? -0.5 : 0.5) + w * (1 << kPrecision)));
    }
  }
  return all;
}

/// `sum` over pixels that lie `stride` bytes apart, of which `from` is the picture's first.
uint8_t apply(const Sum& sum, const uint8_t* from, size_t stride) {
  int value = 1 << (kPrecision - 1);
  from += static_cast<size_t>(sum.first) * stride;
  for (const int w : sum.weights) {
    value += *from * w;
    from += stride;
  }
  return static_cast<uint8_t>(std::clamp(value >> kPrecision, 0, 255));
}

gen::Image blank(int width, int height) {
  return {width, height,
          std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3)};
}

gen::Image across(const gen::Image& image, const std::vector<Sum>& columns) {
  auto result = blank(static_cast<int>(columns.size()), image.height);
  const size_t row = static_cast<size_t>(image.width) * 3;
  uint8_t* to = result.rgb.data();
  for (const uint8_t* from = image.rgb.data(); from < image.rgb.data() + image.rgb.size();
       from += row) {
    for (const Sum& sum : columns) {
      for (size_t c = 0; c < 3; ++c) *to++ = apply(sum, from + c, 3);
    }
  }
  return result;
}

gen::Image down(const gen::Image& image, const std::vector<Sum>& rows) {
  auto result = blank(image.width, static_cast<int>(rows.size()));
  const size_t row = static_cast<size_t>(image.width) * 3;
  uint8_t* to = result.rgb.data();
  for (const Sum& sum : rows) {
    for (size_t x = 0; x < row; ++x) *to++ = apply(sum, &image.rgb[x], row);
  }
  return result;
}

}  // namespace

gen::Image resize(const gen::Image& image, gen::Size size, Filter filter,
                  const std::optional<Box>& box) {
  require(size.width > 0 && size.height > 0,
          fmt::format("a picture cannot be made {}", gen::text_of(size)));
  const auto width = static_cast<float>(image.width), height = static_cast<float>(image.height);
  const Box part = box.value_or(Box{0, 0, width, height});
  const bool across_needed = size.width != image.width || part.left != 0 || part.right != width;
  const bool down_needed = size.height != image.height || part.top != 0 || part.bottom != height;
  const auto make_across = [&](const gen::Image& from) {
    if (!across_needed) return from;
    return across(from, sums(image.width, part.left, part.right, size.width, filter));
  };
  const auto make_down = [&](const gen::Image& from) {
    if (!down_needed) return from;
    return down(from, sums(image.height, part.top, part.bottom, size.height, filter));
  };
  const bool down_first =
      size.height < image.height && image.height - size.height > 2 * (image.width - size.width);
  return down_first ? make_across(make_down(image)) : make_down(make_across(image));
}

}  // namespace reel::pipeline
