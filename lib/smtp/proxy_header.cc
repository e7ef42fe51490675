#include "lib/smtp/proxy_header.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::smtp {
namespace {

constexpr std::string_view kMark1 = "PROXY ";
constexpr std::string_view kMark2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kMaxLine = 107;

const Error kNoHeader{Errc::invalid, "no PROXY header"};

Result<std::optional<ProxyHeader>> parse_line(std::string_view bytes) {
    const auto end = bytes.find("\r\n");
    if (end == std::string_view::npos) {
        if (bytes.size() > kMaxLine) return kNoHeader;
        return std::optional<ProxyHeader>();
    }
    ProxyHeader header;
    header.size = end + 2;
    const auto words = split(bytes.substr(0, end), ' ');
    if (words.size() >= 2 && words[1] == "UNKNOWN") return std::optional(header);
    if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return kNoHeader;
    const auto client = IpAddress::parse(words[2]), server = IpAddress::parse(words[3]);
    const auto client_port = parse_number<std::uint16_t>(words[4]);
    const auto server_port = parse_number<std::uint16_t>(words[5]);
    const bool v4 = words[1] == "TCP4";
    if (!client || !server || !client_port || !server_port || client->is_v4() != v4 ||
        server->is_v4() != v4)
        return kNoHeader;
    header.names = ProxyLine{*client, *server, *client_port, *server_port};
    return std::optional(header);
}

std::size_t number(std::string_view bytes) {
    std::size_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

std::string address_text(std::string_view bytes) {
    std::string out;
    constexpr char kHex[] = "0123456789abcdef";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        if (bytes.size() == 4) {
            out += cat({i == 0 ? "" : ".", std::to_string(byte)});
            continue;
        }
        if (i > 0 && i % 2 == 0) out += ':';
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
    return out;
}

Result<std::optional<ProxyHeader>> parse_binary(std::string_view bytes) {
    constexpr std::size_t kFixed = 16;
    if (bytes.size() < kFixed) return std::optional<ProxyHeader>();
    const auto version = static_cast<unsigned char>(bytes[12]);
    const auto family = static_cast<unsigned char>(bytes[13]);
    const std::size_t length = number(bytes.substr(14, 2));
    if (version >> 4 != 2 || length + kFixed > kMaxProxyHeader) return kNoHeader;
    if (bytes.size() < kFixed + length) return std::optional<ProxyHeader>();
    ProxyHeader header;
    header.size = kFixed + length;
    if ((version & 15) == 0) return std::optional(header);                  // LOCAL
    const std::size_t size = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;  // TCP over IPv4, IPv6
    if ((version & 15) != 1 || size == 0 || length < 2 * size + 4) return kNoHeader;
    const std::string_view body = bytes.substr(kFixed);
    const auto client = IpAddress::parse(address_text(body.substr(0, size)));
    const auto server = IpAddress::parse(address_text(body.substr(size, size)));
    if (!client || !server) return kNoHeader;
    header.names =
        ProxyLine{*client, *server, static_cast<std::uint16_t>(number(body.substr(2 * size, 2))),
                  static_cast<std::uint16_t>(number(body.substr(2 * size + 2, 2)))};
    return std::optional(header);
}

}  // namespace

Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view bytes) {
    const auto may_be = [&](std::string_view mark) {
        const auto common = std::min(bytes.size(), mark.size());
        return bytes.substr(0, common) == mark.substr(0, common);
    };
    if (may_be(kMark1)) return parse_line(bytes);
    if (may_be(kMark2)) return parse_binary(bytes);
    return kNoHeader;
}

}  // namespace postern::smtp
