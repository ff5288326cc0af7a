#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reel/base/error.h"
#include "reel/weights/checkpoint.h"
#include "temporary_folder.h"

namespace reel::weights {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

std::string length_prefix(uint64_t length) {
  return {reinterpret_cast<const char*>(&length), sizeof(length)};
}

/// A file of this header and so many bytes of data.
std::string file_of(const std::string& header, size_t data_bytes = 4) {
  return length_prefix(header.size()) + header + std::string(data_bytes, '\0');
}

std::string entry(const std::string& shape, const std::string& offsets = "[0,4]",
                  const std::string& dtype = "\"F32\"") {
  return R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

std::string repeat(const std::string& text, size_t times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

struct Hostile {
  std::string name, bytes, says;
};

std::vector<Hostile> hostile_files() {
  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const std::string max = "9223372036854775807";
  return {
      // The frame
      {"empty", "", "is empty"},
      {"one byte", "\x08", "too few"},
      {"seven bytes", std::string(7, '\0'), "too few"},
      {"no header", length_prefix(0), "no JSON object"},
      {"header longer than the file", length_prefix(100) + "{}",
       "said to have 100 bytes; 2 follow"},
      {"header one byte longer", length_prefix(3) + "{}", "said to have 3 bytes"},
      {"header of 2^64 - 1", length_prefix(~uint64_t{0}) + "{}", "18446744073709551615 bytes"},
      {"header of 2^63", length_prefix(uint64_t{1} << 63) + "{}", "9223372036854775808 bytes"},
      {"header whose end overflows", length_prefix(~uint64_t{0} - 7) + "{}", "said to have"},
      {"header over 100 MB", length_prefix(100'000'001) + "{}", "100000000 are allowed"},
      {"a pickle", "PK\x03\x04" + std::string(60, 'x'), "said to have"},
      // The JSON
      {"no JSON", file_of("hello"), "no JSON object"},
      {"leading space", file_of(" {}", 0), "no JSON object"},
      {"a byte order mark", file_of("\xef\xbb\xbf{}", 0), "no JSON object"},
      {"an array", file_of("[]", 0), "no JSON object"},
      {"a string", file_of("\"a\"", 0), "no JSON object"},
      {"not closed", file_of("{", 0), "no JSON at byte"},
      {"two objects", file_of("{}{}", 0), "no JSON at byte"},
      {"a comma at the end", file_of("{" + a + ",}"), "no JSON at byte"},
      {"a zero byte inside", file_of(std::string("{\0}", 3), 0), "no JSON at byte"},
      {"bytes that are no UTF-8", file_of("{\"\xff\xfe\":{}}", 0), "no JSON at byte"},
      {"a lone surrogate", file_of(R"({"\ud800":{}})", 0), "no JSON at byte"},
      {"NaN", file_of(entry("[NaN]")), "no JSON at byte"},
      {"a comment", file_of("{/*x*/}", 0), "no JSON at byte"},
      {"objects a million deep", file_of(repeat(R"({"a":)", 1'000'000), 0), "is no field"},
      {"arrays a million deep", file_of("{\"a\":" + repeat("[", 1'000'000), 0), "an array"},
      {"arrays deep in the shape", file_of(R"({"a":{"shape":)" + repeat("[", 1'000'000), 0),
       "an array in \"shape\""},
      // Entries of another kind
      {"an entry that is a number", file_of(R"({"a":1})"), "is a number, expected an object"},
      {"an entry that is null", file_of(R"({"a":null})"), "\"a\" is null"},
      {"an entry that is a string", file_of(R"({"a":"F32"})"), "\"a\" is a string"},
      {"an entry that is true", file_of(R"({"a":true})"), "\"a\" is a boolean"},
      {"an empty entry", file_of(R"({"a":{}})"), "needs dtype, shape and two data_offsets"},
      {"no dtype", file_of(R"({"a":{"shape":[1],"data_offsets":[0,4]}})"), "\"a\" needs dtype"},
      {"no shape", file_of(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})"), "\"a\" needs dtype"},
      {"no offsets", file_of(R"({"a":{"dtype":"F32","shape":[1]}})"), "\"a\" needs dtype"},
      {"another field", file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})"),
       "\"x\" is no field of a tensor"},
      {"dtype twice", file_of(R"({"a":{"dtype":"F32","dtype":"F32"}})"), "\"dtype\" occurs twice"},
      {"shape twice", file_of(R"({"a":{"shape":[1],"shape":[1]}})"), "\"shape\" occurs twice"},
      {"offsets twice", file_of(R"({"a":{"data_offsets":[0,4],"data_offsets":[0,4]}})"),
       "\"data_offsets\" occurs twice"},
      {"a name twice", file_of("{" + a + "," + a + "}"), "\"a\" occurs twice"},
      {"a name twice, once escaped",
       file_of("{" + a + R"(,"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
       "\"a\" occurs twice"},
      // Dtypes
      {"an unknown dtype", file_of(entry("[1]", "[0,4]", "\"Q4\"")), "unknown dtype \"Q4\""},
      {"a dtype in lower case", file_of(entry("[1]", "[0,4]", "\"f32\"")), "dtype \"f32\""},
      {"an empty dtype", file_of(entry("[1]", "[0,4]", "\"\"")), "unknown dtype \"\""},
      {"a dtype of a megabyte", file_of(entry("[1]", "[0,4]", "\"" + repeat("F", 1 << 20) + "\"")),
       "(1048576 bytes)"},
      {"a dtype that is a number", file_of(entry("[1]", "[0,4]", "32")), "a number in \"dtype\""},
      {"a dtype that is a list", file_of(entry("[1]", "[0,4]", "[\"F32\"]")),
       "an array in \"dtype\""},
      // Shapes
      {"a shape that is a number", file_of(entry("1")), "a number in \"shape\""},
      {"a shape of strings", file_of(entry("[\"1\"]")), "a string in \"shape\""},
      {"a negative dim", file_of(entry("[-1]")), "the number -1 in \"shape\""},
      {"two negative dims", file_of(entry("[-1,-1]")), "the number -1"},
      {"a dim of 1.5", file_of(entry("[1.5]")), "the number 1.5"},
      {"a dim of 1e3", file_of(entry("[1e3]")), "the number 1e3"},
      {"a dim of 2^63", file_of(entry("[9223372036854775808]")), "a dim of 9223372036854775808"},
      {"a dim of 2^64", file_of(entry("[18446744073709551616]")), "the number 184467440737095516"},
      {"a null dim", file_of(entry("[null]")), "null in \"shape\""},
      {"a product that wraps to 4 bytes", file_of(entry("[4194305,4194305,211106198978564]")),
       "impossible shape [4194305,4194305,211106198978564]"},
      {"bytes that wrap", file_of(entry("[4611686018427387905]")), "impossible shape"},
      {"a product that wraps to 0", file_of(entry("[4294967296,4294967296]", "[0,0]"), 0),
       "impossible shape"},
      {"strides that wrap behind a 0", file_of(entry("[0," + max + "," + max + "]", "[0,0]"), 0),
       "impossible shape"},
      {"a shape too big for its bytes", file_of(entry("[2]")), "has 4 bytes, but F32 [2] needs 8"},
      {"a shape too small for its bytes", file_of(entry("[0]")),
       "has 4 bytes, but F32 [0] needs 0"},
      {"65 dims", file_of(entry("[" + repeat("1,", 64) + "1]")), "over 64 dims"},
      {"a million dims", file_of(entry("[" + repeat("1,", 1'000'000) + "1]")), "over 64 dims"},
      // Offsets
      {"one offset", file_of(entry("[1]", "[0]")), "needs dtype, shape and two"},
      {"no offset", file_of(entry("[1]", "[]")), "needs dtype, shape and two"},
      {"three offsets", file_of(entry("[1]", "[0,4,8]")), "more than two data_offsets"},
      {"a negative offset", file_of(entry("[1]", "[-4,0]")), "the number -4 in \"data_offsets\""},
      {"an offset of 0.5", file_of(entry("[1]", "[0.5,4]")), "the number 0.5"},
      {"offsets backwards", file_of(entry("[1]", "[4,0]")), "lies at 4..0 of 4 bytes"},
      {"an end behind the file", file_of(entry("[2]", "[0,8]")), "lies at 0..8 of 4 bytes"},
      {"an end of 2^64 - 1", file_of(entry("[1]", "[0,18446744073709551615]")), "lies at 0.."},
      {"both offsets behind the file", file_of(entry("[1]", "[4,8]")), "lies at 4..8"},
      {"a hole at the beginning", file_of(entry("[1]", "[4,8]"), 8), "leaving a hole after"},
      {"a hole in the middle",
       file_of("{" + a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})", 12),
       "\"b\" begins at byte"},
      {"an overlap",
       file_of("{" + a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})", 6),
       "\"b\" begins at byte"},
      {"the same bytes twice",
       file_of("{" + a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"),
       "overlapping the end"},
      {"an empty tensor inside another",
       file_of("{" + a + R"(,"b":{"dtype":"F32","shape":[0],"data_offsets":[2,2]}})"),
       "\"b\" begins at byte"},
      {"bytes at the end", file_of(entry("[1]"), 5), "1 bytes at the end belong to no tensor"},
      {"data without tensors", file_of("{}", 4), "4 bytes at the end"},
      // Metadata
      {"metadata that is a string", file_of(R"({"__metadata__":"x"})", 0), "is a string"},
      {"metadata with a number", file_of(R"({"__metadata__":{"x":1}})", 0), "a number in \"x\""},
      {"metadata with null", file_of(R"({"__metadata__":{"x":null}})", 0), "null in \"x\""},
      {"metadata with an object", file_of(R"({"__metadata__":{"x":{}}})", 0), "has an object"},
      {"metadata with a list", file_of(R"({"__metadata__":{"x":[]}})", 0), "an array in \"x\""},
      {"metadata twice", file_of(R"({"__metadata__":{},"__metadata__":{}})", 0), "occurs twice"},
      {"a metadata key twice", file_of(R"({"__metadata__":{"x":"1","x":"2"}})", 0),
       "\"x\" occurs twice"},
      {"a name with line breaks", file_of(R"({"a\nb\u0000":1})"), R"("a\nb)"},
  };
}

TEST(HostileSafetensors, EachIsRefusedWithASentence) {
  const test::TemporaryFolder folder;
  const auto files = hostile_files();
  EXPECT_GE(files.size(), 60u);
  for (const Hostile& file : files) {
    const auto path = folder.write("x.safetensors", file.bytes);
    try {
      const SafetensorsFile opened(path);
      ADD_FAILURE() << file.name << " was opened";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::BadModel) << file.name;
      EXPECT_THAT(error.what(), AllOf(HasSubstr("x.safetensors: "), HasSubstr(file.says)))
          << file.name;
      EXPECT_LT(std::string(error.what()).size(), 1000u) << file.name;
    }
  }
}

/// Every prefix and every changed byte of a sound file: opened or refused, never anything else.
TEST(HostileSafetensors, NoDamageDoesMoreThanBeRefused) {
  const test::TemporaryFolder folder;
  const std::string sound = file_of(entry("[1]"));
  size_t refused = 0, opened = 0;
  const auto try_bytes = [&](const std::string& bytes) {
    try {
      const SafetensorsFile file(folder.write("x.safetensors", bytes));
      for (const auto& [name, info] : file.tensors()) file.tensor(name).sum();
      ++opened;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::BadModel);
      ++refused;
    }
  };
  for (size_t length = 0; length < sound.size(); ++length) try_bytes(sound.substr(0, length));
  EXPECT_EQ(refused, sound.size());
  for (size_t place = 0; place < sound.size(); ++place) {
    for (const char byte : {'\0', '\xff', '{', '"', '9', ','}) {
      std::string changed = sound;
      changed[place] = byte;
      try_bytes(changed);
    }
  }
  EXPECT_GT(opened, 24u) << "the data and the tensor's name may be anything";
}

TEST(HostileSafetensors, AFolderOrADeviceIsNoFile) {
  const test::TemporaryFolder folder;
  EXPECT_THAT([&] { SafetensorsFile file(folder.path()); },
              ThrowsMessage<Error>(HasSubstr("expected a file")));
  EXPECT_THAT([] { SafetensorsFile file("/dev/zero"); },
              ThrowsMessage<Error>(HasSubstr("/dev/zero: expected a file")));
  EXPECT_THAT([&] { SafetensorsFile file(folder / "none"); },
              ThrowsMessage<Error>(HasSubstr("cannot be opened: No such file")));
}

TEST(HostileIndex, EachIsRefusedWithASentence) {
  const test::TemporaryFolder folder;
  folder.write("m/s.safetensors", file_of(entry("[1]")));
  folder.write("secret.safetensors", file_of(entry("[1]")));
  const auto lies = [](const std::string& shard) {
    return R"({"weight_map":{"a":")" + shard + R"("}})";
  };
  const std::string sound = lies("s.safetensors");
  const std::vector<Hostile> indexes{
      {"empty", "", "no JSON"},
      {"an array", "[]", "has an array"},
      {"a string", "\"x\"", "no JSON object"},
      {"no map", "{}", "expected an object \"weight_map\""},
      {"a map that is a list", R"({"weight_map":[]})", "has an array in \"weight_map\""},
      {"a map that is a string", R"({"weight_map":"x"})", "expected an object \"weight_map\""},
      {"an empty map", R"({"weight_map":{}})", "expected an object \"weight_map\""},
      {"a map twice", R"({"weight_map":{},"weight_map":{}})", "occurs twice"},
      {"a tensor twice", R"({"weight_map":{"a":"s.safetensors","a":"t.safetensors"}})",
       "\"a\" occurs twice"},
      {"a shard that is a number", R"({"weight_map":{"a":1}})", "\"a\" must be the name of a file"},
      {"a shard that is an object", R"({"weight_map":{"a":{}}})", "nested too deep"},
      {"a million deep", repeat(R"({"a":)", 1'000'000), "nested too deep"},
      {"the folder above", lies("../secret.safetensors"), "\"a\" is said to lie in \"../secret"},
      {"a way up and down", lies("x/../s.safetensors"), "the name of a safetensors file in this"},
      {"an absolute path", lies("/etc/passwd.safetensors"), "is said to lie in \"/etc/passwd"},
      {"two dots", lies(".."), "is said to lie in \"..\""},
      {"nothing", lies(""), "is said to lie in \"\""},
      {"a pickle", lies("pytorch_model.bin"), "expected the name of a safetensors file"},
      {"a zero byte", lies("s.safetensors\\u0000.safetensors"), "expected the name"},
      {"a missing shard", lies("t.safetensors"), "\"t.safetensors\" is missing"},
      {"a tensor that the shard lacks",
       R"({"weight_map":{"a":"s.safetensors","b":"s.safetensors"}})",
       "\"b\" is not in \"s.safetensors\""},
      {"a tensor that is not listed", R"({"weight_map":{"b":"s.safetensors"}})",
       "\"a\" of s.safetensors is not listed"},
  };
  const std::string index = "m/model.safetensors.index.json";
  for (const Hostile& file : indexes) {
    folder.write(index, file.bytes);
    try {
      const Checkpoint checkpoint(folder / "m", "model");
      ADD_FAILURE() << file.name << " was opened";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::BadModel) << file.name;
      EXPECT_THAT(error.what(), AllOf(HasSubstr("index.json: "), HasSubstr(file.says)))
          << file.name;
    }
  }
  folder.write(index, sound);
  EXPECT_NO_THROW(Checkpoint(folder / "m", "model"));
}

TEST(HostileFolder, PicklesAreRefusedAndNothingIsSaidPlainly) {
  const test::TemporaryFolder folder;
  folder.write("m/readme", "");
  EXPECT_THAT([&] { Checkpoint(folder / "m", "model"); },
              ThrowsMessage<Error>(
                  HasSubstr("m: has no model.safetensors and no model.safetensors.index.json")));
  for (const char* pickle : {"pytorch_model.bin", "model.pt", "model.pth"}) {
    folder.write(std::filesystem::path(pickle).stem() / pickle, "");
    EXPECT_THAT([&] { Checkpoint(folder / std::filesystem::path(pickle).stem(), "model"); },
                ThrowsMessage<Error>(HasSubstr("is a pickle, which can run code")));
  }
  EXPECT_THAT([&] { Checkpoint(folder / "none", "model"); },
              ThrowsMessage<Error>(HasSubstr("none: is no folder")));
}

}  // namespace
}  // namespace reel::weights
