#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "reel/base/error.h"
#include "reel/text/clean.h"
#include "reel/text/tokenizer.h"

namespace reel::cli {

int tokenize(const TokenizeFlags& flags) {
  std::filesystem::path folder = flags.model_path;
  std::error_code none;
  if (std::filesystem::is_directory(folder / "tokenizer", none)) folder /= "tokenizer";
  const text::Tokenizer tokenizer(folder);

  std::ios::sync_with_stdio(false);
  size_t number = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++number;
    nlohmann::json reply;
    try {
      const std::string prompt =
          flags.jsonl ? nlohmann::json::parse(line).get<std::string>() : line;
      const std::string cleaned = text::clean_prompt(prompt);
      reply = {{"cleaned", cleaned}, {"ids", tokenizer.encode(cleaned, flags.max_length)}};
    } catch (const nlohmann::json::exception&) {
      reply = {{"error", "line " + std::to_string(number) + ": expected one JSON string"}};
    } catch (const Error& error) {
      reply = {{"error", "line " + std::to_string(number) + ": " + error.what()}};
    }
    std::cout << reply.dump() << '\n' << std::flush;
  }
  return 0;
}

}  // namespace reel::cli
