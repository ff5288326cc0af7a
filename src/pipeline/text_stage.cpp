#include "text_stage.h"

#include <ATen/ATen.h>

#include "reel/text/clean.h"

namespace reel::pipeline {

EncodedPrompt TextStage::encode(const std::string& prompt, int max_sequence_length) {
  auto ids = tokenizer_.encode(text::clean_prompt(prompt), max_sequence_length);
  const std::pair key(ids, max_sequence_length);
  auto embeds = cache_.find(key);
  if (!embeds) {
    embeds = encoder_.encode_prompt({ids.begin(), ids.end()}, max_sequence_length, *blocks_);
    cache_.insert(key, *embeds);
  }
  return {std::move(ids), *std::move(embeds)};
}

void dump_prompt(Dump& dump, const std::string& prefix, const EncodedPrompt& prompt,
                 int max_sequence_length) {
  if (!dump.wanted()) return;
  auto ids = at::zeros({max_sequence_length}, at::kLong);
  for (size_t i = 0; i < prompt.ids.size(); ++i) {
    ids[static_cast<int64_t>(i)] = prompt.ids[i];
  }
  dump.add(prefix + "token_ids", ids);
  dump.add(prefix + "prompt_embeds", prompt.embeds_1LD[0]);
}

}  // namespace reel::pipeline
