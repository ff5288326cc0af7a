#include "safetensors_header.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "reel/base/error.h"

namespace reel::weights {
namespace {

constexpr size_t kMaxDims = 64;  // what ATen's iterators take
constexpr std::string_view kMetadata = "__metadata__";

constexpr std::array<std::pair<const char*, at::ScalarType>, 12> kDtypes{{
    {"F64", at::kDouble},
    {"F32", at::kFloat},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
    {"I64", at::kLong},
    {"I32", at::kInt},
    {"I16", at::kShort},
    {"I8", at::kChar},
    {"U8", at::kByte},
    {"BOOL", at::kBool},
}};

std::optional<at::ScalarType> dtype_named(std::string_view name) {
  for (const auto& [known, dtype] : kDtypes) {
    if (name == known) return dtype;
  }
  return std::nullopt;
}

/// Bytes of a tensor of `shape`; nothing if they, or its strides, do not fit 63 bits.
std::optional<uint64_t> bytes_of(const std::vector<int64_t>& shape, at::ScalarType dtype) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(dtype));
  bool empty = false;
  for (const int64_t dim : shape) {
    empty |= dim == 0;
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(dim, 1), &bytes)) return std::nullopt;
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

/// Walks the header's JSON as it is scanned: no tree is built, nesting stops at once, and a name
/// given twice is seen, which a tree would hide.
class HeaderParser final : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderParser(uint64_t data_offset, uint64_t data_bytes, const std::string& file)
      : data_offset_(data_offset), data_bytes_(data_bytes), file_(file) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(size_t) override {
    if (depth_ == 2 || in_array_) fault("has an object where a value is expected");
    ++depth_;
    entry_ = {};
    return true;
  }

  bool key(string_t& key) override {
    if (depth_ == 1) {
      name_ = key;
      if (key == kMetadata ? metadata_seen_ : header_.tensors.contains(key)) fault("occurs twice");
      metadata_seen_ |= key == kMetadata;
      return true;
    }
    field_ = key;
    if (in_metadata()) {
      if (header_.metadata.contains(key)) fault(quote(key) + " occurs twice");
    } else if (key == "dtype"          ? entry_.dtype.has_value()
               : key == "shape"        ? entry_.shape.has_value()
               : key == "data_offsets" ? entry_.offsets.has_value()
                                       : true) {
      const bool known = key == "dtype" || key == "shape" || key == "data_offsets";
      fault(quote(key) + (known ? " occurs twice" : " is no field of a tensor"));
    }
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata()) {
      header_.metadata.emplace(field_, value);
    } else if (depth_ == 2 && field_ == "dtype") {
      entry_.dtype = dtype_named(value);
      if (!entry_.dtype) fault("has the unknown dtype " + quote(value));
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool start_array(size_t) override {
    if (in_array_ || depth_ != 2 || in_metadata()) unexpected("an array");
    if (field_ == "shape") {
      entry_.shape.emplace();
    } else if (field_ == "data_offsets") {
      entry_.offsets.emplace();
    } else {
      unexpected("an array");
    }
    in_array_ = true;
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) unexpected("a number");
    if (field_ == "shape") {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        fault(fmt::format("has a dim of {}", value));
      }
      if (entry_.shape->size() == kMaxDims) fault(fmt::format("has over {} dims", kMaxDims));
      entry_.shape->push_back(static_cast<int64_t>(value));
    } else {
      if (entry_.offsets->size() == 2) fault("has more than two data_offsets");
      entry_.offsets->push_back(value);
    }
    return true;
  }

  bool end_object() override {
    if (--depth_ == 1 && !in_metadata()) finish_tensor();
    return true;
  }

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool binary(binary_t&) override { return unexpected("bytes"); }
  bool number_integer(number_integer_t value) override {
    return unexpected(fmt::format("the number {}", value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return unexpected("the number " + text.substr(0, 40));
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    throw Error(ErrorCode::BadModel,
                fmt::format("{}: the header is no JSON at byte {}", file_, position + 8));
  }

 private:
  struct Entry {
    std::optional<at::ScalarType> dtype;
    std::optional<std::vector<int64_t>> shape;
    std::optional<std::vector<uint64_t>> offsets;
  };

  bool in_metadata() const { return name_ == kMetadata; }

  [[noreturn]] void fault(const std::string& what) const {
    throw Error(ErrorCode::BadModel, fmt::format("{}: {} {}", file_, quote(name_), what));
  }

  [[noreturn]] bool unexpected(const std::string& what) const {
    if (depth_ < 2) fault("is " + what + ", expected an object");
    fault(fmt::format("has {} in {}", what, quote(field_)));
  }

  void finish_tensor() {
    if (!entry_.dtype || !entry_.shape || !entry_.offsets || entry_.offsets->size() != 2) {
      fault("needs dtype, shape and two data_offsets");
    }
    const auto bytes = bytes_of(*entry_.shape, *entry_.dtype);
    if (!bytes) fault(fmt::format("has an impossible shape [{}]", fmt::join(*entry_.shape, ",")));
    const uint64_t begin = entry_.offsets->front(), end = entry_.offsets->back();
    if (begin > end || end > data_bytes_) {
      fault(fmt::format("lies at {}..{} of {} bytes of data", begin, end, data_bytes_));
    }
    if (end - begin != *bytes) {
      fault(fmt::format("has {} bytes, but {} [{}] needs {}", end - begin, name_of(*entry_.dtype),
                        fmt::join(*entry_.shape, ","), *bytes));
    }
    header_.tensors.emplace(
        name_, TensorInfo{*entry_.dtype, std::move(*entry_.shape), data_offset_ + begin, *bytes});
  }

  const uint64_t data_offset_, data_bytes_;
  const std::string& file_;
  SafetensorsHeader header_;
  int depth_ = 0;  // of objects
  bool in_array_ = false;
  bool metadata_seen_ = false;
  std::string name_, field_;
  Entry entry_;
};

/// Every byte of the data must belong to exactly one tensor.
void check_coverage(const SafetensorsHeader& header, uint64_t data_offset, uint64_t data_bytes,
                    const std::string& file) {
  std::vector<const std::pair<const std::string, TensorInfo>*> order;
  for (const auto& entry : header.tensors) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return std::pair(a->second.offset, a->second.bytes) <
           std::pair(b->second.offset, b->second.bytes);
  });
  uint64_t end = data_offset;
  for (const auto* entry : order) {
    const auto& [name, info] = *entry;
    if (info.offset != end) {
      throw Error(ErrorCode::BadModel,
                  fmt::format("{}: {} begins at byte {}, {} the end of the tensor before it at {}",
                              file, quote(name), info.offset,
                              info.offset < end ? "overlapping" : "leaving a hole after", end));
    }
    end += info.bytes;
  }
  if (end != data_offset + data_bytes) {
    throw Error(ErrorCode::BadModel, fmt::format("{}: {} bytes at the end belong to no tensor",
                                                 file, data_offset + data_bytes - end));
  }
}

}  // namespace

const char* name_of(at::ScalarType dtype) {
  for (const auto& [name, known] : kDtypes) {
    if (dtype == known) return name;
  }
  return nullptr;
}

std::string quote(std::string_view name) {
  return name.size() <= 160 ? fmt::format("{:?}", name)
                            : fmt::format("{:?}… ({} bytes)", name.substr(0, 160), name.size());
}

SafetensorsHeader parse_header(std::string_view json, uint64_t data_offset, uint64_t data_bytes,
                               const std::string& file) {
  if (json.empty() || json.front() != '{') {
    throw Error(ErrorCode::BadModel, file + ": the header is no JSON object");
  }
  HeaderParser parser(data_offset, data_bytes, file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &parser);
  SafetensorsHeader header = parser.take();
  check_coverage(header, data_offset, data_bytes, file);
  return header;
}

}  // namespace reel::weights
