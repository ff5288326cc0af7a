#include "reel/config/umt5_config.h"

#include "bounds.h"
#include "reel/config/json_reader.h"

namespace reel::config {

std::vector<std::string> Umt5Config::problems() const {
  std::vector<std::string> problems;
  const auto width = [&](std::string_view key, int64_t value) {
    expect_between(problems, key, value, int64_t{1}, kMaxWidth);
  };
  width("vocab_size", vocab_size);
  width("d_model", d_model);
  width("d_kv", d_kv);
  width("d_ff", d_ff);
  width("num_heads", num_heads);
  expect_between(problems, "num_layers", num_layers, int64_t{1}, kMaxLayers);
  // A quarter of the buckets are single distances; the others grow with a logarithm from there.
  expect_between(problems, "relative_attention_num_buckets", relative_attention_num_buckets,
                 int64_t{4}, int64_t{1} << 16);
  expect_between(problems, "relative_attention_max_distance", relative_attention_max_distance,
                 relative_attention_num_buckets / 4 + 1, kMaxWidth);
  expect_between(problems, "layer_norm_epsilon", layer_norm_epsilon, 0.0, 1.0);
  return problems;
}

Umt5Config read_umt5_config(const std::filesystem::path& file) {
  const nlohmann::json object = read_json(file);
  JsonReader json(object, file.string());
  json.expect<std::string>("model_type", "umt5");
  json.expect<std::string>("feed_forward_proj", "gated-gelu");
  json.expect<std::string>("dense_act_fn", "gelu_new");
  json.expect("is_gated_act", true);
  Umt5Config c;
  c.vocab_size = json.get("vocab_size", c.vocab_size);
  c.d_model = json.get("d_model", c.d_model);
  c.d_kv = json.get("d_kv", c.d_kv);
  c.d_ff = json.get("d_ff", c.d_ff);
  c.num_layers = json.get("num_layers", c.num_layers);
  c.num_heads = json.get("num_heads", c.num_heads);
  c.relative_attention_num_buckets =
      json.get("relative_attention_num_buckets", c.relative_attention_num_buckets);
  c.relative_attention_max_distance =
      json.get("relative_attention_max_distance", c.relative_attention_max_distance);
  c.layer_norm_epsilon = json.get("layer_norm_epsilon", c.layer_norm_epsilon);
  // Training's, the decoder's, the tokenizer's, and notes.
  json.ignore({"architectures", "dropout_rate", "classifier_dropout", "initializer_factor",
               "num_decoder_layers", "is_decoder", "is_encoder_decoder", "decoder_start_token_id",
               "use_cache", "output_past", "tie_word_embeddings", "scalable_attention",
               "pad_token_id", "bos_token_id", "eos_token_id", "tokenizer_class", "torch_dtype",
               "dtype", "transformers_version"});
  // Of any configuration of older versions of transformers; of no use to an encoder's output.
  json.ignore({"output_attentions", "output_hidden_states", "return_dict", "torchscript",
               "chunk_size_feed_forward", "gradient_checkpointing", "attn_implementation"});
  json.ignore({"problem_type", "id2label", "label2id", "finetuning_task", "task_specific_params",
               "prefix", "sep_token_id", "n_positions", "model_parallel", "use_bfloat16"});
  json.ignore({"tie_encoder_decoder", "add_cross_attention", "is_cross_attention",
               "cross_attention_hidden_size", "tf_legacy_loss", "pruned_heads"});
  json.finish();
  json.check(c.problems());
  return c;
}

}  // namespace reel::config
