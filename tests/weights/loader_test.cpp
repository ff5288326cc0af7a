#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <mutex>

#include "reel/base/error.h"
#include "reel/weights/checkpoint.h"
#include "temporary_folder.h"

namespace reel::weights {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

std::string index_of(const std::vector<std::pair<std::string, std::string>>& shards) {
  std::string map;
  for (const auto& [name, shard] : shards) {
    map += (map.empty() ? "\"" : ",\"") + name + "\":\"" + shard + "\"";
  }
  return R"({"metadata":{"total_size":8},"weight_map":{)" + map + "}}";
}

/// Kilobytes of this process's memory by /proc's name: VmRSS, or RssFile for pages of files.
int64_t kilobytes(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) return std::stoll(line.substr(name.size() + 1));
  }
  return -1;
}

TEST(Load, CastsByPolicy) {
  const test::TemporaryFolder folder;
  const at::Tensor a = at::randn({3, 4}), b = at::randn({2}), c = at::randn({2}, at::kDouble);
  write_safetensors(folder / "model.safetensors",
                    {{"a", a}, {"b", b.to(at::kHalf)}, {"c", c}, {"d", a.to(at::kBFloat16)}});
  ParamSet params(at::kCPU, at::kBFloat16);
  const ParamScope scope(params);
  Param& compute = scope.declare("a", {3, 4});
  Param& kept = scope.declare("b", {2}, Keep::Fp32);
  Param& narrowed = scope.declare("c", {2}, Keep::Fp32);
  Param& same = scope.declare("d", {3, 4});
  load(params, Checkpoint(folder.path(), "model"));
  EXPECT_EQ(compute.tensor.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(compute.tensor, a.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(kept.tensor, b.to(at::kHalf).to(at::kFloat)));
  EXPECT_TRUE(at::equal(narrowed.tensor, c.to(at::kFloat)));
  EXPECT_TRUE(at::equal(same.tensor, a.to(at::kBFloat16)));
  EXPECT_FALSE(compute.tensor.is_inference()) << "LoRA writes into parameters";
}

TEST(Load, AFittingTensorIsTheMappingItself) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", {{"a", at::randn({256})}});
  const Checkpoint checkpoint(folder.path(), "model");
  ParamSet params(at::kCPU, at::kFloat);
  const Param& a = ParamScope(params).declare("a", {256});
  load(params, checkpoint);
  EXPECT_EQ(a.tensor.data_ptr(), checkpoint.file_of("a")->tensor("a").data_ptr());
}

TEST(Load, ACastIsNotHeldBesideItsFile) {
  const test::TemporaryFolder folder;
  const int64_t count = 24 << 20;  // 96 MB in fp32, 48 in bf16
  write_safetensors(folder / "model.safetensors", {{"a", at::ones({count})}});
  ParamSet params(at::kCPU, at::kBFloat16);
  const Param& a = ParamScope(params).declare("a", {count});
  const int64_t before = kilobytes("VmRSS");
  ASSERT_GT(before, 0);
  int64_t most = 0;
  LoadOptions options;
  options.on_progress = [&](const LoadProgress&) { most = std::max(most, kilobytes("VmRSS")); };
  load(params, Checkpoint(folder.path(), "model"), options);
  EXPECT_EQ(a.tensor.sum(at::kDouble).item<double>(), static_cast<double>(count));
  // The result, and at most the piece in work; with the file it would be 144 MB.
  EXPECT_LT(most - before, (48 + 48) << 10);
}

TEST(Load, ReadsShardsThroughTheLinksOfTheCache) {
  const test::TemporaryFolder cache;
  std::filesystem::create_directories(cache / "blobs");
  std::filesystem::create_directories(cache / "snapshots/1");
  const at::Tensor a = at::randn({3}), b = at::randn({4, 1});
  write_safetensors(cache / "blobs/x", {{"a", a}});
  write_safetensors(cache / "blobs/y", {{"b", b}});
  cache.write("blobs/z", index_of({{"a", "m-1.safetensors"}, {"b", "m-2.safetensors"}}));
  const auto link = [&](const char* blob, const char* name) {
    std::filesystem::create_symlink("../../blobs/" + std::string(blob),
                                    cache / "snapshots/1" / name);
  };
  link("x", "m-1.safetensors");
  link("y", "m-2.safetensors");
  link("z", "m.safetensors.index.json");
  ParamSet params(at::kCPU, at::kFloat);
  const ParamScope scope(params);
  const Param &first = scope.declare("a", {3}), &second = scope.declare("b", {4, 1});
  load(params, Checkpoint(cache / "snapshots/1", "m"));
  EXPECT_TRUE(at::equal(first.tensor, a));
  EXPECT_TRUE(at::equal(second.tensor, b));
}

TEST(Load, WhereOneFileAndShardsAreThereTakesWhatTheLibraryTakes) {
  for (const auto& [stem, expected] : {std::pair("diffusion_pytorch_model", 2.0), {"model", 1.0}}) {
    const test::TemporaryFolder folder;
    const std::string name = stem;
    write_safetensors(folder / (name + ".safetensors"), {{"a", at::ones({1})}});
    write_safetensors(folder / "m-1.safetensors", {{"a", at::full({1}, 2.0)}});
    folder.write(name + ".safetensors.index.json", index_of({{"a", "m-1.safetensors"}}));
    ParamSet params(at::kCPU, at::kFloat);
    const Param& a = ParamScope(params).declare("a", {1});
    load(params, Checkpoint(folder.path(), name));
    EXPECT_EQ(a.tensor.item<double>(), expected) << name;
  }
}

TEST(Load, ATensorInTwoShardsIsRefused) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "m-1.safetensors", {{"a", at::ones({1})}});
  write_safetensors(folder / "m-2.safetensors", {{"a", at::ones({1})}, {"b", at::ones({1})}});
  folder.write("m.safetensors.index.json",
               index_of({{"a", "m-1.safetensors"}, {"b", "m-2.safetensors"}}));
  EXPECT_THAT([&] { Checkpoint(folder.path(), "m"); },
              ThrowsMessage<Error>(HasSubstr("m-2.safetensors: \"a\" is also in m-1.safetensors")));
}

TEST(Load, SaysWhatAFileIsInstead) {
  for (const auto& [name, says] :
       {std::pair("blocks.0.self_attn.q.lora_down.weight", "it is a LoRA"),
        {"blocks.0.self_attn.q.scale_weight", "it is quantised with scales"},
        {"blocks.0.self_attn.q.weight_scale", "it is quantised with scales"}}) {
    const test::TemporaryFolder folder;
    write_safetensors(folder / "a.safetensors", {{name, at::ones({1})}});
    ParamSet params(at::kCPU, at::kFloat);
    ParamScope(params).declare("a", {1});
    EXPECT_THAT([&] { load(params, Checkpoint(folder / "a.safetensors")); },
                ThrowsMessage<Error>(AllOf(HasSubstr("a.safetensors: has"), HasSubstr(says))));
  }
}

TEST(Load, NamesEveryFaultAtOnceAndChangesNothing) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", {{"fits", at::ones({2})},
                                                   {"shape", at::ones({2, 3})},
                                                   {"dtype", at::ones({2}, at::kLong)},
                                                   {"extra", at::ones({1})},
                                                   {"known", at::ones({1})}});
  ParamSet params(at::kCPU, at::kFloat);
  const ParamScope scope(params);
  const Param& fits = scope.declare("fits", {2});
  scope.declare("shape", {3, 2});
  scope.declare("dtype", {2});
  scope.declare("absent", {1});
  LoadOptions options;
  options.unused = [](std::string_view name) { return name == "known"; };
  EXPECT_THAT([&] { load(params, Checkpoint(folder.path(), "model"), options); },
              ThrowsMessage<Error>(AllOf(
                  HasSubstr(folder.path().string()),
                  HasSubstr("\"shape\" in model.safetensors: expected [3,2], got [2,3]"),
                  HasSubstr("\"dtype\" in model.safetensors: expected a floating dtype, got I64"),
                  HasSubstr("\"absent\" is missing"),
                  HasSubstr("\"extra\" in model.safetensors is unexpected"),
                  Not(HasSubstr("known")), Not(HasSubstr("fits")))));
  EXPECT_FALSE(fits.tensor.defined());
}

TEST(Load, ALongListIsCutAndCounted) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", {{"a", at::ones({1})}});
  ParamSet params(at::kCPU, at::kFloat);
  for (int i = 0; i < 50; ++i) ParamScope(params).declare("p" + std::to_string(i), {1});
  EXPECT_THAT([&] { load(params, Checkpoint(folder.path(), "model")); },
              ThrowsMessage<Error>(
                  AllOf(HasSubstr("\"p19\" is missing; and 31 more"), Not(HasSubstr("\"p20\"")))));
}

TEST(Load, AnAliasStandsInAndIsNotUnexpectedBeside) {
  const test::TemporaryFolder folder;
  const at::Tensor table = at::randn({4, 2});
  LoadOptions options;
  options.aliases = {{"shared.weight", "encoder.embed_tokens.weight"}};
  const auto loaded = [&](const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
    write_safetensors(folder / "model.safetensors", tensors);
    ParamSet params(at::kCPU, at::kFloat);
    const Param& shared = ParamScope(params).declare("shared.weight", {4, 2});
    load(params, Checkpoint(folder.path(), "model"), options);
    return shared.tensor;
  };
  EXPECT_TRUE(at::equal(loaded({{"shared.weight", table}}), table));
  EXPECT_TRUE(at::equal(loaded({{"encoder.embed_tokens.weight", table}}), table));
  EXPECT_TRUE(at::equal(
      loaded({{"shared.weight", at::zeros({4, 2})}, {"encoder.embed_tokens.weight", table}}),
      table));
}

TEST(Load, TellsProgressInOrderToTheEnd) {
  const test::TemporaryFolder folder;
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  ParamSet params(at::kCPU, at::kBFloat16);
  for (int i = 0; i < 40; ++i) {
    tensors.emplace_back("p" + std::to_string(i), at::ones({100 + i}));
    ParamScope(params).declare(tensors.back().first, {100 + i}, i % 2 ? Keep::Fp32 : Keep::Compute);
  }
  write_safetensors(folder / "model.safetensors", tensors);
  std::vector<uint64_t> seen;
  uint64_t total = 0;
  LoadOptions options;
  options.on_progress = [&](const LoadProgress& progress) {
    seen.push_back(progress.bytes);
    total = progress.total_bytes;
  };
  load(params, Checkpoint(folder.path(), "model"), options);
  EXPECT_EQ(seen.size(), 40u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), total);
  EXPECT_EQ(total, 4u * (40 * 100 + 39 * 40 / 2));
  for (const Param& param : params.params()) EXPECT_TRUE(at::all(param.tensor == 1).item<bool>());
}

TEST(Load, AFaultInACallbackIsRethrown) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", {{"a", at::ones({1})}});
  ParamSet params(at::kCPU, at::kFloat);
  const Param& a = ParamScope(params).declare("a", {1});
  LoadOptions options;
  options.on_progress = [](const LoadProgress&) { throw Error(ErrorCode::Cancelled, "stop"); };
  EXPECT_THAT([&] { load(params, Checkpoint(folder.path(), "model"), options); },
              ThrowsMessage<Error>(HasSubstr("stop")));
  EXPECT_FALSE(a.tensor.defined());
}

TEST(Load, PacksAndGivesTheSourcesBack) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors",
                    {{"q", at::full({2, 3}, 1.0)}, {"k", at::full({2, 3}, 2.0)}});
  ParamSet params(at::kCPU, at::kFloat);
  const ParamScope scope(params);
  Param &q = scope.declare("q", {2, 3}), &k = scope.declare("k", {2, 3});
  const Packed& qk = params.declare(
      Packed{"qk", {&q, &k}, [](const std::vector<at::Tensor>& all) { return at::cat(all); }, {}});
  load(params, Checkpoint(folder.path(), "model"));
  EXPECT_TRUE(at::equal(qk.tensor, at::cat({at::full({2, 3}, 1.0), at::full({2, 3}, 2.0)})));
  EXPECT_FALSE(q.tensor.defined());
  EXPECT_FALSE(k.tensor.defined());
}

TEST(Load, PacksWhileItLoads) {
  const test::TemporaryFolder folder;
  constexpr int64_t kCount = 12, kFloats = 4 << 20;  // of 16 MB each
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  ParamSet params(at::kCPU, at::kFloat);
  std::mutex mutex;
  int64_t most = 0;
  const auto recipe = [&](const std::vector<at::Tensor>& sources) {
    const at::Tensor made = sources[0] + 1;
    const std::scoped_lock lock(mutex);
    most = std::max(most, kilobytes("VmRSS"));
    return made;
  };
  for (int64_t i = 0; i < kCount; ++i) {
    tensors.emplace_back("p" + std::to_string(i), at::ones({kFloats}));
    Param& source = ParamScope(params).declare(tensors.back().first, {kFloats});
    params.declare(Packed{source.name + ".packed", {&source}, recipe, {}});
  }
  write_safetensors(folder / "model.safetensors", tensors);
  tensors.clear();
  const int64_t before = kilobytes("VmRSS");
  load(params, Checkpoint(folder.path(), "model"));
  // What was made, and the sources in work on each of at most 8 threads; not all of both.
  EXPECT_LT(most - before, ((kCount + std::min(8, at::get_num_threads()) + 2) * 16) << 10);
  for (const Packed& packed : params.packed()) {
    EXPECT_EQ(packed.tensor.sum(at::kDouble).item<double>(), 2.0 * kFloats);
  }
}

TEST(Load, AFaultInARecipeChangesNothing) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", {{"a", at::ones({1})}, {"b", at::ones({1})}});
  ParamSet params(at::kCPU, at::kFloat);
  Param &a = ParamScope(params).declare("a", {1}), &b = ParamScope(params).declare("b", {1});
  params.declare(
      Packed{"packed",
             {&a},
             [](const auto&) -> at::Tensor { throw Error(ErrorCode::OutOfMemory, "too large"); },
             {}});
  EXPECT_THAT([&] { load(params, Checkpoint(folder.path(), "model")); },
              ThrowsMessage<Error>(HasSubstr("too large")));
  EXPECT_FALSE(a.tensor.defined() || b.tensor.defined());
}

TEST(Load, InInferenceModeParametersStayPlain) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors",
                    {{"cast", at::ones({2}, at::kHalf)}, {"mapped", at::ones({2})}});
  ParamSet params(at::kCPU, at::kFloat);
  const Param &cast = ParamScope(params).declare("cast", {2}),
              &mapped = ParamScope(params).declare("mapped", {2});
  const c10::InferenceMode inference;
  load(params, Checkpoint(folder.path(), "model"));
  EXPECT_FALSE(cast.tensor.is_inference() || mapped.tensor.is_inference());
}

TEST(Load, AFileCutShortIsAnError) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", {{"a", at::zeros({1 << 20})}});
  const Checkpoint checkpoint(folder.path(), "model");
  std::filesystem::resize_file(folder / "model.safetensors", 4096);
  try {
    checkpoint.file_of("a")->read_ahead("a");
    GTEST_SKIP() << "this kernel does not know MADV_POPULATE_READ";
  } catch (const Error&) {
  }
  for (const at::ScalarType compute : {at::kFloat, at::kBFloat16}) {
    ParamSet params(at::kCPU, compute);
    ParamScope(params).declare("a", {1 << 20});
    EXPECT_THAT([&] { load(params, checkpoint); },
                ThrowsMessage<Error>(HasSubstr("model.safetensors: \"a\" cannot be read")));
  }
}

}  // namespace
}  // namespace reel::weights
