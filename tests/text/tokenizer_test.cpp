#include "reel/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "hard_text.h"
#include "reel/base/error.h"
#include "reel/base/ids.h"

namespace reel::text {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Ids = std::vector<int32_t>;

const fs::path kFull = test::goldens() / "models/t2v-tiny/tokenizer";
const fs::path kPlain = test::goldens() / "models/a14b-tiny/tokenizer";

/// A folder that goes with its test.
class Folder {
 public:
  Folder() { fs::create_directories(path_); }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const fs::path& path() const { return path_; }
  void copy(const fs::path& file) const { fs::copy(file, path_ / file.filename()); }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }

 private:
  fs::path path_ = fs::temp_directory_path() / random_id("reel_text_");
};

json read(const fs::path& file) {
  std::ifstream in(file);
  return json::parse(in);
}

/// How many hard texts get other ids than the library gave; `kind` is "" or "_without_charsmap".
int count_wrong(const Tokenizer& tokenizer, const std::string& kind) {
  int wrong = 0;
  for (const auto& one : test::cases("tokenizer-hard")) {
    const auto ids = tokenizer.encode(one.at("cleaned").get<std::string>(), 512);
    wrong += ids != one.at("ids" + kind).get<Ids>();
    if (const auto raw = one.find("ids_uncleaned" + kind); raw != one.end()) {
      wrong += tokenizer.encode(one.at("text").get<std::string>(), 512) != raw->get<Ids>();
    }
  }
  return wrong;
}

TEST(Tokenizer, FollowsTokenizerJson) {
  EXPECT_EQ(count_wrong(Tokenizer(kFull), ""), 0);
  EXPECT_EQ(count_wrong(Tokenizer(kPlain), "_without_charsmap"), 0);
}

TEST(Tokenizer, ReadsTheSameFromSpieceModelAlone) {
  for (const auto& [source, kind] : {std::pair{kFull, ""}, {kPlain, "_without_charsmap"}}) {
    Folder folder;
    folder.copy(source / "spiece.model");
    folder.copy(source / "tokenizer_config.json");
    const Tokenizer tokenizer(folder.path());
    EXPECT_EQ(count_wrong(tokenizer, kind), 0);
    EXPECT_EQ(tokenizer.vocabulary_size(), Tokenizer(source).vocabulary_size());
  }
}

TEST(Tokenizer, GoldenSeesOneScoreChanged) {
  Folder folder;
  json file = read(kFull / "tokenizer.json");
  for (json& piece : file["model"]["vocab"]) {
    if (piece[0] == "\u2581fo") piece[1] = -30.0;
  }
  folder.write("tokenizer.json", file.dump());
  EXPECT_GT(count_wrong(Tokenizer(folder.path()), ""), 0);
}

TEST(Tokenizer, GoldenSeesEachPartLeftOut) {
  const json file = read(kFull / "tokenizer.json");
  for (const char* part :
       {"/normalizer/normalizers/0", "/normalizer/normalizers/1", "/normalizer/normalizers/2",
        "/pre_tokenizer", "/added_tokens/1", "/post_processor"}) {
    json less = file;
    const json::json_pointer where(part);
    const json gone(json::value_t::null);
    if (where.parent_pointer().empty()) {
      less[where] = gone;
    } else {
      less[where.parent_pointer()].erase(static_cast<size_t>(std::stoi(where.back())));
    }
    Folder folder;
    folder.write("tokenizer.json", less.dump());
    EXPECT_GT(count_wrong(Tokenizer(folder.path()), ""), 0) << part;
  }
}

TEST(Tokenizer, KeepsTheEndWhenItCuts) {
  const Tokenizer tokenizer(kFull.parent_path());
  const Ids whole = tokenizer.encode("A red fox runs across a frozen lake.", 512);
  ASSERT_EQ(whole.size(), 17u);
  EXPECT_EQ(whole.back(), tokenizer.eos_id());
  EXPECT_EQ(tokenizer.encode("A red fox runs across a frozen lake.", 3),
            (Ids{whole[0], whole[1], tokenizer.eos_id()}));
  EXPECT_EQ(tokenizer.encode("A red fox", 1), Ids{tokenizer.eos_id()});
  EXPECT_EQ(tokenizer.encode("", 512), Ids{tokenizer.eos_id()});
  EXPECT_EQ(tokenizer.pad_id(), 0);
  EXPECT_EQ(tokenizer.vocabulary_size(), 1203);
  EXPECT_THROW(tokenizer.encode("A red fox", 0), Error);
}

json added(int id, const char* content, const std::string& flag = {}) {
  json token = {{"id", id}, {"content", content}, {"special", false}};
  for (const char* name : {"lstrip", "rstrip", "single_word", "normalized"}) {
    token[name] = name == flag;
  }
  return token;
}

/// A small model; the ids that the tests below expect are those of the library (0.23.3).
json small_file() {
  json file = json::parse(R"({
    "normalizer": {"type": "Lowercase"},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
    "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": false, "vocab": [
      ["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["▁", -2], ["a", -3], ["b", -3], ["▁a", -4], ["ab", -5],
      ["<0xC3>", 0], ["[L]", 0], ["[R]", 0], ["one", 0], ["[L][R]", 0], ["<0xA9>", 0]]},
    "post_processor": null})");
  file["added_tokens"] = {
      added(9, "[L]", "lstrip"),      added(10, "[R]", "rstrip"), added(11, "one", "single_word"),
      added(14, "BIG", "normalized"), added(12, "[L][R]"),        added(1, "</s>")};
  return file;
}

Ids encode(const json& file, const std::string& text) {
  Folder folder;
  folder.write("tokenizer.json", file.dump());
  return Tokenizer(folder.path()).encode(text, 512);
}

TEST(Tokenizer, FindsAddedTokensByTheirFlags) {
  const json file = small_file();
  EXPECT_EQ(encode(file, "a [L] a"), (Ids{6, 9, 6}));
  EXPECT_EQ(encode(file, "a [R] a"), (Ids{6, 3, 10, 6}));
  EXPECT_EQ(encode(file, "a[L][R]a"), (Ids{6, 12, 6}));
  EXPECT_EQ(encode(file, "one a one"), (Ids{11, 6, 3, 11}));
  EXPECT_EQ(encode(file, "aone"), (Ids{6, 11}));
  EXPECT_EQ(encode(file, "big a BIG"), (Ids{14, 6, 3, 14}));
}

TEST(Tokenizer, MakesBytesOfTheUnknownOnlyWhenToldTo) {
  json file = small_file();
  EXPECT_EQ(encode(file, "aéé狐b"), (Ids{6, 2, 5}));
  file["model"]["byte_fallback"] = true;
  EXPECT_EQ(encode(file, "aéb"), (Ids{6, 8, 13, 5}));
  EXPECT_EQ(encode(file, "aé狐b"), (Ids{6, 2, 5}));
}

TEST(Tokenizer, PrependsAsTheFileSays) {
  json file = small_file();
  json& scheme = file["pre_tokenizer"]["prepend_scheme"];
  EXPECT_EQ(encode(file, "ab</s>ab"), (Ids{3, 7, 1, 3, 7}));
  scheme = "first";
  EXPECT_EQ(encode(file, "ab</s>ab"), (Ids{3, 7, 1, 7}));
  scheme = "never";
  EXPECT_EQ(encode(file, "ab</s>ab"), (Ids{7, 1, 7}));
}

/// What opening a folder with these files throws.
std::string refusal(const std::vector<std::pair<std::string, std::string>>& files) {
  Folder folder;
  for (const auto& [name, bytes] : files) folder.write(name, bytes);
  try {
    const Tokenizer tokenizer(folder.path());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    return error.what();
  }
  return "nothing";
}

TEST(Tokenizer, NamesTheFileThatItCannotUse) {
  using testing::HasSubstr;
  EXPECT_THAT(refusal({}), HasSubstr("expected tokenizer.json or spiece.model"));
  EXPECT_THAT(refusal({{"tokenizer.json", "{"}}), HasSubstr("tokenizer.json: "));
  EXPECT_THAT(refusal({{"tokenizer.json", "{}"}}), HasSubstr("'model' not found"));
  EXPECT_THAT(refusal({{"spiece.model", "not a model"}}), HasSubstr("spiece.model: "));
  EXPECT_THAT(refusal({{"spiece.model", ""}}), HasSubstr("no pieces"));
  EXPECT_THAT(refusal({{"spiece.model", ""}, {"tokenizer_config.json", "[]"}}),
              HasSubstr("tokenizer_config.json: "));
  const auto changed = [](const char* where, const json& value) {
    json file = small_file();
    file[json::json_pointer(where)] = value;
    return refusal({{"tokenizer.json", file.dump()}});
  };
  EXPECT_THAT(changed("/normalizer/type", "Nmt"), HasSubstr("'Nmt' is not understood"));
  EXPECT_THAT(changed("/pre_tokenizer/type", "ByteLevel"), HasSubstr("'ByteLevel'"));
  EXPECT_THAT(changed("/model/type", "BPE"), HasSubstr("expected Unigram, got 'BPE'"));
  EXPECT_THAT(changed("/model/unk_id", 99), HasSubstr("unk_id: expected"));
  EXPECT_THAT(changed("/model/unk_id", nullptr), HasSubstr("tokenizer.json"));
  EXPECT_THAT(changed("/model/vocab", json::array()), HasSubstr("unk_id: expected"));
  EXPECT_THAT(changed("/model/vocab/0/0", "x"), HasSubstr("expected a token '<pad>'"));
  const json charsmap = {{"type", "Precompiled"}, {"precompiled_charsmap", "AQAAAAAA"}};
  EXPECT_THAT(changed("/normalizer", charsmap), HasSubstr("precompiled_charsmap"));
}

TEST(Tokenizer, SurvivesBrokenModels) {
  std::ifstream in(kFull / "spiece.model", std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(in), {});
  std::mt19937 random(1);
  for (int i = 0; i < 30; ++i) {
    std::string bytes = whole.substr(0, i % 3 ? whole.size() : random() % whole.size());
    for (int k = 0; k < 20; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
    Folder folder;
    folder.write("spiece.model", bytes);
    try {
      Tokenizer(folder.path()).encode("Ａ ｆｏｘ, é e\u0301 ﬁ ㍿ 狐 </s>", 512);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::BadModel) << error.what();
    }
  }
}

TEST(Tokenizer, AnswersAnyBytes) {
  const Tokenizer tokenizer(kFull);
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    std::string text(random() % 12, ' ');
    for (char& c : text) c = static_cast<char>(random() % 2 ? random() % 0x80 : random() % 0x100);
    try {
      EXPECT_EQ(tokenizer.encode(text, 512).back(), tokenizer.eos_id());
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::InvalidArgument);
    }
  }
}

TEST(Tokenizer, TakesAMegabyteOfAnything) {
  const Tokenizer tokenizer(kFull);
  constexpr size_t kSize = 1 << 20;
  for (const std::string part : {" ", "a", "word lake ", "狐", "★", "</s>", "e\u0301", "\u0301"}) {
    std::string text;
    while (text.size() < kSize) text += part;
    EXPECT_LE(tokenizer.encode(text, 512).size(), 512u) << part;
  }
}

}  // namespace
}  // namespace reel::text
