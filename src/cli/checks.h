#pragma once

#include <functional>
#include <string>

/// What CLI11 asks of a flag's value: "" for a good one, else what was expected and what was found.
namespace reel::cli {

/// Not empty: what an unset variable comes to.
std::string check_given(const std::string& text);

/// A number that is given at all.
std::string given_number(std::string& text);

/// Digits: leading zeros, with which CLI11 would read 010 as 8, are taken away.
std::string plain_digits(std::string& text);

std::string check_unsigned(const std::string& text);
std::string check_seed(const std::string& text);
std::string check_url(const std::string& text);

/// A name or an address, as Host has it, without a port.
std::string check_host(const std::string& text);

/// Scheme, host and port, as browsers write Origin.
std::string check_origin(const std::string& text);

std::string check_folder(const std::string& text);

/// For what is written beside its place and then renamed: not for a link, a pipe or a device.
std::string check_writable(const std::string& text);

/// A check for numbers from `low` to `high`: not CLI::Range, which lets nan through.
std::function<std::string(const std::string&)> number_from(double low, double high);

}  // namespace reel::cli
