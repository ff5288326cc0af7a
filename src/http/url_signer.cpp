#include "url_signer.h"

#include <fmt/format.h>

#include <charconv>

#include "reel/base/digest.h"
#include "reel/base/ids.h"

namespace reel::http {

UrlSigner::UrlSigner() : secret_(random_id("")) {}

std::string UrlSigner::query(std::string_view path, int64_t expires) const {
  const std::string exp = std::to_string(expires);
  return fmt::format("exp={}&sig={}", exp, signature(path, exp));
}

UrlSigner::Verdict UrlSigner::judge(std::string_view path, const std::string& exp,
                                    std::string_view sig, int64_t now) const {
  if (!same_secret(signature(path, exp), sig)) return Verdict::Forged;
  int64_t expires = 0;  // ours, so it is a number
  std::from_chars(exp.data(), exp.data() + exp.size(), expires);
  return now < expires ? Verdict::Good : Verdict::Expired;
}

std::string UrlSigner::signature(std::string_view path, std::string_view exp) const {
  return encode_hex(hmac_sha256(secret_, fmt::format("{}\n{}", path, exp)));
}

}  // namespace reel::http
