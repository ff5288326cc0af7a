#include "metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "reel/base/error.h"

extern "C" {
#include <libavutil/crc.h>
}

namespace reel::media {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD", kEllipsis = "\xE2\x80\xA6";

std::string big_endian(uint32_t value, int bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(value >> (8 * bytes));
  return text;
}

std::string little_endian(uint32_t value, int bytes) {
  std::string text = big_endian(value, bytes);
  std::reverse(text.begin(), text.end());
  return text;
}

std::string escaped(const std::string& text) {
  std::string xml;
  for (const char c : printable(text)) {
    if (c == '&') {
      xml += "&amp;";
    } else if (c == '<') {
      xml += "&lt;";
    } else if (c == '>') {
      xml += "&gt;";
    } else if (c == '\r') {
      xml += "&#13;";
    } else {
      xml += c;
    }
  }
  return xml;
}

/// At most `bytes` of XML text: no character and no entity is cut in two.
void shorten(std::string& xml, size_t bytes) {
  if (xml.size() <= bytes) return;
  size_t end = bytes - kEllipsis.size();
  while ((xml[end] & 0xC0) == 0x80) --end;
  const size_t entity = xml.find_last_of("&;", end - 1);
  if (entity < end && xml[entity] == '&') end = entity;
  xml.replace(end, std::string::npos, kEllipsis);
}

/// An XMP packet of at most `bytes`.
std::string xmp_packet(const Metadata& metadata, size_t bytes) {
  constexpr std::string_view kBegin =
      "<?xpacket begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"
      "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">"
      "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
      "<rdf:Description rdf:about=\"\" xmlns:reel=\"urn:reel:\">";
  constexpr std::string_view kEnd = "</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>";
  Metadata texts;
  size_t others = kBegin.size() + kEnd.size();
  for (const auto& [key, value] : metadata) {
    others += fmt::formatted_size("<reel:{0}></reel:{0}>", key);
    others += (texts[key] = escaped(value)).size();
  }
  const auto longest = std::max_element(
      texts.begin(), texts.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  others -= longest->second.size();
  if (others + kEllipsis.size() > bytes) throw Error(ErrorCode::Internal, "metadata: too long");
  shorten(longest->second, bytes - others);
  std::string packet(kBegin);
  for (const auto& [key, text] : texts)
    packet += fmt::format("<reel:{0}>{1}</reel:{0}>", key, text);
  return packet.append(kEnd);
}

std::string png_chunk(const std::string& type, const std::string& content) {
  const std::string checked = type + content;
  const uint32_t crc = ~av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), UINT32_MAX,
                               reinterpret_cast<const uint8_t*>(checked.data()), checked.size());
  return big_endian(static_cast<uint32_t>(content.size()), 4) + checked + big_endian(crc, 4);
}

std::string in_png(const std::string& file, const Metadata& metadata) {
  constexpr size_t kHeaderEnd = 8 + 25;  // the signature and IHDR
  std::string made = file.substr(0, kHeaderEnd);
  for (const auto& [key, value] : metadata) {
    const std::string plain_and_of_no_language(4, '\0');
    made += png_chunk("iTXt", key + '\0' + plain_and_of_no_language + printable(value));
  }
  return made.append(file, kHeaderEnd);
}

std::string in_jpeg(const std::string& file, const Metadata& metadata) {
  using namespace std::string_literals;
  const std::string name = "http://ns.adobe.com/xap/1.0/\0"s;
  const std::string packet = xmp_packet(metadata, 0xFFFF - 2 - name.size());
  const auto length = static_cast<uint32_t>(2 + name.size() + packet.size());
  size_t start = 2;  // after SOI, and the JFIF segment that must come first
  if (file.substr(start, 2) == "\xFF\xE0") {
    start += 2 + (static_cast<uint8_t>(file[4]) << 8) + static_cast<uint8_t>(file[5]);
  }
  return file.substr(0, start) + "\xFF\xE1" + big_endian(length, 2) + name + packet +
         file.substr(start);
}

std::string riff_chunk(const std::string& type, const std::string& content) {
  return type + little_endian(static_cast<uint32_t>(content.size()), 4) + content +
         std::string(content.size() % 2, '\0');
}

/// What libwebp wrote has one chunk; the extended format says in VP8X what else there is.
std::string in_webp(const std::string& file, const gen::Size& size, const Metadata& metadata) {
  constexpr uint32_t kHasXmp = 4;
  constexpr size_t kHeaderEnd = 12;  // "RIFF", bytes, "WEBP"
  const std::string extended = little_endian(kHasXmp, 4) +
                               little_endian(static_cast<uint32_t>(size.width - 1), 3) +
                               little_endian(static_cast<uint32_t>(size.height - 1), 3);
  return riff_chunk("RIFF", "WEBP" + riff_chunk("VP8X", extended) + file.substr(kHeaderEnd) +
                                riff_chunk("XMP ", xmp_packet(metadata, UINT32_MAX)));
}

}  // namespace

std::string printable(std::string_view utf8) {
  std::string text;
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<uint8_t>(utf8[i]);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) {
      text += kReplacement;
    } else if (utf8.substr(i, 3) == "\xEF\xBF\xBE" || utf8.substr(i, 3) == "\xEF\xBF\xBF") {
      text += kReplacement;
      i += 2;
    } else {
      text += utf8[i];
    }
  }
  return text;
}

std::string with_metadata(const std::string& file, gen::ImageFormat format, const gen::Size& size,
                          const Metadata& metadata) {
  if (metadata.empty()) return file;
  switch (format) {
    case gen::ImageFormat::Png:
      return in_png(file, metadata);
    case gen::ImageFormat::Jpeg:
      return in_jpeg(file, metadata);
    case gen::ImageFormat::Webp:
      break;
  }
  return in_webp(file, size, metadata);
}

}  // namespace reel::media
