#include "checks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace reel::cli {

namespace fs = std::filesystem;

namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '-' || c == '_';
  });
}

bool is_address(std::string_view text) {
  return text.find(':') != text.npos && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isxdigit(c) || c == ':' || c == '.';
         });
}

}  // namespace

std::string check_given(const std::string& text) {
  return text.empty() ? "expected a value, got none" : "";
}

std::string given_number(std::string& text) {
  return text.empty() ? "expected a number, got none" : "";
}

std::string plain_digits(std::string& text) {
  const size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  while (text.size() > sign + 1 && text[sign] == '0' &&
         std::isdigit(static_cast<unsigned char>(text[sign + 1]))) {
    text.erase(sign, 1);
  }
  const bool other_base = text.size() > sign + 1 && text[sign] == '0' &&
                          std::string_view("xXoO").find(text[sign + 1]) != std::string_view::npos;
  return other_base ? fmt::format("expected a number in digits, got '{}'", text) : "";
}

std::string check_unsigned(const std::string& text) {
  if (!text.starts_with('-')) return {};
  return fmt::format("expected 0 or more, got '{}'", text);
}

std::string check_seed(const std::string& text) {
  // CLI11 reads -1 as 2^64 - 1, and 2^64 as well.
  uint64_t seed = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, seed);
  if (fault == std::errc() && stop == end) return {};
  return fmt::format("expected whole numbers from 0 to 2^64 - 1, got '{}'", text);
}

std::string check_url(const std::string& text) {
  for (const std::string scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const auto rest = std::string_view(text).substr(scheme.size());
    const bool clean = std::all_of(rest.begin(), rest.end(), [](unsigned char c) {
      return c > ' ' && c < 127 &&
             std::string_view("@?#\"<>\\").find(char(c)) == std::string_view::npos;
    });
    if (clean && !rest.empty() && rest.front() != '/') return {};
  }
  return fmt::format("expected http://… or https://…, without user, query and fragment, got '{}'",
                     text);
}

std::string check_host(const std::string& text) {
  const size_t colon = text.find(':');
  if (is_name(text) || (is_address(text) && text.find(':', colon + 1) != text.npos)) return {};
  return fmt::format("expected a name or an address without a port, got '{}'", text);
}

std::string check_origin(const std::string& text) {
  if (check_url(text).empty()) {
    const std::string_view authority = std::string_view(text).substr(text.find("://") + 3);
    const size_t end = authority.starts_with('[') ? authority.find(']') : 0;
    const size_t colon = std::min(authority.find(':', end), authority.size());
    const auto port = authority.substr(std::min(colon + 1, authority.size()));
    const auto is_lower = [](unsigned char c) { return !std::isupper(c); };  // as browsers write it
    const auto host = authority.substr(0, colon);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if ((is_name(host) || (bracketed && is_address(host.substr(1, host.size() - 2)))) &&
        std::all_of(text.begin(), text.end(), is_lower) &&
        std::all_of(port.begin(), port.end(), [](unsigned char c) { return std::isdigit(c); }) &&
        port.empty() == (colon == authority.size())) {
      return {};
    }
  }
  return fmt::format("expected an origin such as https://app.example:8443, got '{}'", text);
}

std::function<std::string(const std::string&)> number_from(double low, double high) {
  return [low, high](const std::string& text) -> std::string {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, fault] = std::from_chars(text.data(), end, number);
    if (fault == std::errc() && stop == end && number >= low && number <= high) return {};
    return fmt::format("expected {} to {}, got '{}'", low, high, text);
  };
}

std::string check_writable(const std::string& text) {
  const fs::path path = text, parent = path.parent_path(), folder = parent.empty() ? "." : parent;
  std::error_code none;
  const auto there = fs::symlink_status(path, none);
  const bool free = there.type() == fs::file_type::not_found || fs::is_regular_file(there);
  if (path.has_filename() && free && ::access(folder.c_str(), W_OK) == 0) return {};
  return fmt::format("expected a file that can be written, got '{}'", text);
}

std::string check_folder(const std::string& text) {
  if (!text.empty()) return {};
  return "expected a folder, got '': what is made is kept in files";
}

}  // namespace reel::cli
