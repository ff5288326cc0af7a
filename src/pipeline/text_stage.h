#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dump.h"
#include "lru_cache.h"
#include "reel/models/umt5.h"
#include "reel/text/tokenizer.h"

namespace reel::pipeline {

struct EncodedPrompt {
  std::vector<int32_t> ids;  // with </s>, not padded
  at::Tensor embeds_1LD;     // L is max_sequence_length, zeros behind the prompt
};

/// From a prompt as it was typed to what the transformer reads of it.
class TextStage {
 public:
  TextStage(const std::filesystem::path& tokenizer_folder, const config::Umt5Config& config,
            at::Device device, at::ScalarType dtype)
      : tokenizer_(tokenizer_folder),
        params_(device, dtype),
        encoder_(weights::ParamScope(params_), config) {}

  weights::ParamSet& params() { return params_; }
  int64_t width() const { return encoder_.config.d_model; }

  EncodedPrompt encode(const std::string& prompt, int max_sequence_length);

  /// Frees what is kept of earlier prompts.
  void forget() { cache_.clear(); }

 private:
  text::Tokenizer tokenizer_;
  weights::ParamSet params_;
  models::Umt5Encoder encoder_;
  std::unique_ptr<residency::Blocks> blocks_ = std::make_unique<residency::ResidentBlocks>();
  LruCache<std::pair<std::vector<int32_t>, int>, at::Tensor> cache_{32};  // by tokens and length
};

/// `<prefix>token_ids`, padded, and `<prefix>prompt_embeds`.
void dump_prompt(Dump& dump, const std::string& prefix, const EncodedPrompt& prompt,
                 int max_sequence_length);

}  // namespace reel::pipeline
