#include "reel/pipeline/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "reel/base/error.h"

namespace reel::pipeline {
namespace {

size_t area(gen::Size size) {
  return static_cast<size_t>(size.width) * static_cast<size_t>(size.height);
}

gen::Image blank(gen::Size size) {
  return {size.width, size.height, std::vector<uint8_t>(area(size) * 3)};
}

/// `part` onto `image`, its upper left corner there; what lies outside is lost.
void paste(gen::Image& image, const gen::Image& part, int left, int top) {
  const int from = std::max(0, -left), to = std::min(part.width, image.width - left);
  if (from >= to) return;
  for (int y = std::max(0, -top); y < std::min(part.height, image.height - top); ++y) {
    const size_t source = area({part.width, y}) + static_cast<size_t>(from);
    const size_t target = area({image.width, top + y}) + static_cast<size_t>(left + from);
    std::memcpy(&image.rgb[target * 3], &part.rgb[source * 3], static_cast<size_t>(to - from) * 3);
  }
}

/// The size with `image`'s aspect that covers `size`, or with `inside` that lies in it.
gen::Size scaled(const gen::Image& image, gen::Size size, bool inside) {
  const double wanted = static_cast<double>(size.width) / size.height;
  const double given = static_cast<double>(image.width) / image.height;
  const auto other = [](int64_t side, int64_t times, int64_t by) {
    return static_cast<int>(side * times / by);
  };
  const bool keep_width = inside ? wanted < given : wanted > given;
  const bool keep_height = inside ? wanted >= given : wanted <= given;
  return {keep_width ? size.width : other(image.width, size.height, image.height),
          keep_height ? size.height : other(image.height, size.width, image.width)};
}

/// The first row or column of `part`, and its last, spread over what `image` has beside it.
void spread_edges(gen::Image& image, const gen::Image& part, int left, int top) {
  const auto width = static_cast<float>(part.width), height = static_cast<float>(part.height);
  if (top > 0) {
    const gen::Size size{image.width, top};
    paste(image, resize(part, size, Filter::Bicubic, Box{0, 0, width, 0}), 0, 0);
    paste(image, resize(part, size, Filter::Bicubic, Box{0, height, width, height}), 0,
          top + part.height);
  } else if (left > 0) {
    const gen::Size size{left, image.height};
    paste(image, resize(part, size, Filter::Bicubic, Box{0, 0, 0, height}), 0, 0);
    paste(image, resize(part, size, Filter::Bicubic, Box{width, 0, width, height}),
          left + part.width, 0);
  }
}

/// Frames `first` … `first + count`, each byte by the table, channel first.
Planes looked_up(const uint8_t* rgb, int count, gen::Size size,
                 const std::array<float, 256>& table) {
  Planes planes{3, count, size.height, size.width, {}};
  const size_t plane = area(size), channel = plane * static_cast<size_t>(count);
  planes.values.resize(channel * 3);
  for (size_t i = 0; i < channel; ++i) {
    for (size_t c = 0; c < 3; ++c) planes.values[c * channel + i] = table[rgb[i * 3 + c]];
  }
  return planes;
}

float to_signed(int value) { return 2.0f * (static_cast<float>(value) / 255.0f) - 1.0f; }

template <class Function>
std::array<float, 256> table_of(Function function) {
  std::array<float, 256> table;
  for (int i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = function(i);
  return table;
}

Planes looked_up(const gen::Frames& frames, int first, int count,
                 const std::array<float, 256>& table) {
  require(first >= 0 && count >= 0 && count <= frames.count - first, "frames beyond a video's end");
  return looked_up(frames.rgb.data() + static_cast<size_t>(first) * frames.frame_bytes(), count,
                   {frames.width, frames.height}, table);
}

int rounded_down(int value, int multiple) { return value / multiple * multiple; }

}  // namespace

gen::Image resized(const gen::Image& image, gen::Size size, Fit fit) {
  if (fit == Fit::Stretch) return resize(image, size, Filter::Lanczos);
  const auto part = resize(image, scaled(image, size, fit == Fit::Fill), Filter::Lanczos);
  auto result = blank(size);
  const int left = size.width / 2 - part.width / 2, top = size.height / 2 - part.height / 2;
  paste(result, part, left, top);
  if (fit == Fit::Fill) spread_edges(result, part, left, top);
  return result;
}

gen::Frames resized(const gen::Frames& frames, gen::Size size) {
  gen::Frames result{frames.count, size.width, size.height, {}};
  result.rgb.reserve(result.frame_bytes() * static_cast<size_t>(frames.count));
  for (size_t i = 0; i < static_cast<size_t>(frames.count); ++i) {
    const auto* from = frames.rgb.data() + i * frames.frame_bytes();
    const auto frame =
        resized(gen::Image{frames.width, frames.height, {from, from + frames.frame_bytes()}}, size);
    result.rgb.insert(result.rgb.end(), frame.rgb.begin(), frame.rgb.end());
  }
  return result;
}

Planes normalised(const gen::Image& image) {
  return looked_up(image.rgb.data(), 1, {image.width, image.height}, table_of(to_signed));
}

Planes normalised(const gen::Frames& frames, int first, int count) {
  return looked_up(frames, first, count, table_of(to_signed));
}

Planes mask_values(const gen::Frames& mask, int first, int count) {
  return looked_up(mask, first, count, table_of([](int value) {
                     return std::clamp((to_signed(value) + 1.0f) / 2.0f, 0.0f, 1.0f);
                   }));
}

Planes clip_input(const gen::Image& image, const ClipPreprocessing& how) {
  const double longer = std::max(image.width, image.height),
               shorter = std::min(image.width, image.height);
  const int edge = how.shortest_edge, other = static_cast<int>(edge * longer / shorter);
  const bool tall = image.width <= image.height;
  const auto whole =
      resize(image, tall ? gen::Size{edge, other} : gen::Size{other, edge}, how.filter);
  require(whole.width >= how.crop.width && whole.height >= how.crop.height,
          "preprocessor_config.json: crop_size is larger than the shortest edge");
  auto crop = blank(how.crop);
  paste(crop, whole, -((whole.width - crop.width) / 2), -((whole.height - crop.height) / 2));
  auto planes = normalised(crop);
  const size_t plane = area(how.crop);
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = 0; i < plane; ++i) {
      const auto value = static_cast<float>(crop.rgb[i * 3 + c] * how.rescale);
      planes.values[c * plane + i] = (value - how.mean[c]) / how.std[c];
    }
  }
  return planes;
}

Planes fitted(const gen::Image& image, gen::Size size, int factor) {
  const gen::Size own{rounded_down(image.width, factor), rounded_down(image.height, factor)};
  require(own.width > 0 && own.height > 0,
          fmt::format("reference_images: expected at least {0}x{0} pixels, got {1}x{2}", factor,
                      image.width, image.height),
          "reference_images");
  const auto source = normalised(resized(image, own));
  const double scale = std::min(static_cast<double>(size.height) / own.height,
                                static_cast<double>(size.width) / own.width);
  const gen::Size inner{static_cast<int>(own.width * scale), static_cast<int>(own.height * scale)};
  const int top = (size.height - inner.height) / 2, left = (size.width - inner.width) / 2;

  struct Between {
    int low, high;
    float share;  // of high
  };
  const auto between = [](int at, int from, int to) {
    const float ratio = static_cast<float>(from) / static_cast<float>(to);
    const float place = std::max(std::fma(ratio, static_cast<float>(at) + 0.5f, -0.5f), 0.0f);
    const int low = std::min(static_cast<int>(place), from - 1);
    return Between{low, std::min(low + 1, from - 1), place - static_cast<float>(low)};
  };

  Planes canvas{3, 1, size.height, size.width, std::vector<float>(area(size) * 3, 1.0f)};
  for (int c = 0; c < 3; ++c) {
    const float* from = source.values.data() + area(own) * static_cast<size_t>(c);
    float* to = canvas.values.data() + area(size) * static_cast<size_t>(c);
    for (int y = 0; y < inner.height; ++y) {
      const auto v = between(y, own.height, inner.height);
      const float *upper = from + area({own.width, v.low}),
                  *lower = from + area({own.width, v.high});
      for (int x = 0; x < inner.width; ++x) {
        const auto h = between(x, own.width, inner.width);
        const auto mixed = [&](const float* row) {
          return (1 - h.share) * row[h.low] + h.share * row[h.high];
        };
        to[area({size.width, top + y}) + static_cast<size_t>(left + x)] =
            (1 - v.share) * mixed(upper) + v.share * mixed(lower);
      }
    }
  }
  return canvas;
}

}  // namespace reel::pipeline
