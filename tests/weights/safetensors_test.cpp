#include "reel/weights/safetensors.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "reel/base/error.h"
#include "temporary_folder.h"

namespace reel::weights {
namespace {

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::vector<at::ScalarType> kAllDtypes{
    at::kDouble, at::kFloat, at::kHalf,  at::kBFloat16, at::kFloat8_e4m3fn, at::kFloat8_e5m2,
    at::kLong,   at::kInt,   at::kShort, at::kChar,     at::kByte,          at::kBool};

TEST(Safetensors, EveryDtypeSurvivesTheRoundTrip) {
  const test::TemporaryFolder folder;
  std::vector<std::pair<std::string, at::Tensor>> written;
  for (const at::ScalarType dtype : kAllDtypes) {
    written.emplace_back(c10::toString(dtype), at::arange(15).view({3, 5}).to(dtype));
  }
  written.emplace_back("scalar", at::scalar_tensor(7.5));
  written.emplace_back("empty", at::empty({4, 0}));
  written.emplace_back("transposed", at::arange(6).view({2, 3}).t());
  write_safetensors(folder / "all.safetensors", written, {{"made_by", "a \"test\"\nof Reel"}});

  const SafetensorsFile file(folder / "all.safetensors");
  EXPECT_EQ(file.tensors().size(), written.size());
  EXPECT_EQ(file.metadata().at("made_by"), "a \"test\"\nof Reel");
  for (const auto& [name, tensor] : written) {
    const at::Tensor read = file.tensor(name);
    EXPECT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_EQ(read.sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(at::equal(read.to(at::kDouble), tensor.to(at::kDouble))) << name;
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Safetensors, TheBytesAreThoseOfTheFormat) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", {{"b", at::scalar_tensor(1, at::kByte)},
                                               {"a", at::scalar_tensor(1.0f, at::kFloat)}});
  const std::string header = R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                             R"("b":{"dtype":"U8","shape":[],"data_offsets":[4,5]}})";
  const size_t padded = (header.size() + 7) / 8 * 8;
  std::string expected{static_cast<char>(padded), 0, 0, 0, 0, 0, 0, 0};
  expected += header + std::string(padded - header.size(), ' ');
  expected += std::string("\x00\x00\x80\x3f\x01", 5);
  EXPECT_EQ(slurp(folder / "x.safetensors"), expected);
}

TEST(Safetensors, ATensorIsTheMappingAndOutlivesItsFile) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", {{"a", at::arange(4.0f)}});
  at::Tensor first, second;
  {
    const SafetensorsFile file(folder / "x.safetensors");
    first = file.tensor("a");
    second = file.tensor("a");
  }
  EXPECT_EQ(first.data_ptr(), second.data_ptr());
  EXPECT_TRUE(at::equal(first, at::arange(4.0f)));
}

TEST(Safetensors, AnUnalignedTensorIsCopied) {
  const test::TemporaryFolder folder;
  const std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  std::string bytes{static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0};
  bytes += header + std::string("\x01\x00\x00\x80\x3f", 5);
  const SafetensorsFile file(folder.write("odd.safetensors", bytes));
  const at::Tensor tensor = file.tensor("b");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data_ptr()) % 4, 0u);
  EXPECT_EQ(tensor.item<float>(), 1.0f);
}

TEST(Safetensors, CopyToCastsInPiecesAndReportsBytes) {
  const test::TemporaryFolder folder;
  const int64_t count = (40 << 20) / 4 + 3;  // more than one piece
  const at::Tensor source = at::arange(count, at::kFloat);
  write_safetensors(folder / "x.safetensors", {{"a", source}});
  const SafetensorsFile file(folder / "x.safetensors");
  const at::Tensor out = at::empty({count}, at::kBFloat16);
  std::vector<uint64_t> pieces;
  file.copy_to(out, "a", [&](uint64_t bytes) { pieces.push_back(bytes); });
  EXPECT_TRUE(at::equal(out, source.to(at::kBFloat16)));
  EXPECT_THAT(pieces, testing::ElementsAre(32u << 20, (8u << 20) + 12));
  EXPECT_TRUE(at::equal(file.tensor("a"), source)) << "pages given back are read again";
}

TEST(Safetensors, AFileCutShortIsAnErrorBeforeItIsRead) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", {{"a", at::zeros({1 << 16})}});
  const SafetensorsFile file(folder / "x.safetensors");
  EXPECT_NO_THROW(file.read_ahead("a"));
  std::filesystem::resize_file(folder / "x.safetensors", 4096);
  try {
    file.read_ahead("a");
    GTEST_SKIP() << "this kernel does not know MADV_POPULATE_READ";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    EXPECT_THAT(error.what(), testing::HasSubstr("x.safetensors: \"a\" cannot be read"));
  }
}

TEST(Safetensors, APointerOfGitLfsIsToldFromAFile) {
  const test::TemporaryFolder folder;
  const auto file =
      folder.write("x.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_THAT(
      [&] { SafetensorsFile{file}; },
      testing::ThrowsMessage<Error>(testing::HasSubstr("x.safetensors: is a pointer of Git LFS")));
}

TEST(Safetensors, AnUnknownNameNamesFileAndTensor) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", {{"a", at::zeros({1})}});
  const SafetensorsFile file(folder / "x.safetensors");
  EXPECT_THAT(
      [&] { file.tensor("b"); },
      testing::ThrowsMessage<Error>(testing::HasSubstr("x.safetensors: has no tensor \"b\"")));
}

TEST(Safetensors, WhatCannotBeWrittenLeavesNothing) {
  const test::TemporaryFolder folder;
  const auto path = folder / "x.safetensors";
  const at::Tensor one = at::zeros({1});
  EXPECT_THROW(write_safetensors(path, {{"a", one}, {"a", one}}), Error);
  EXPECT_THROW(write_safetensors(path, {{"__metadata__", one}}), Error);
  EXPECT_THROW(write_safetensors(path, {{"\xff", one}}), Error);
  EXPECT_THROW(write_safetensors(path, {{"a", at::zeros({1}, at::kComplexFloat)}}), Error);
  EXPECT_THROW(write_safetensors(folder / "missing/x.safetensors", {{"a", one}}), Error);
  std::filesystem::create_directory(path);
  EXPECT_THROW(write_safetensors(path, {{"a", one}}), Error);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_TRUE(std::filesystem::is_empty(path));
}

}  // namespace
}  // namespace reel::weights
