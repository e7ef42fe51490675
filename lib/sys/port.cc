#include "lib/sys/port.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <string>
#include <utility>

#include "lib/base/strings.h"

namespace postern::sys {
namespace {

// A minimal system has no /etc/services, and mail shall come in all the same.
constexpr std::pair<std::string_view, std::uint16_t> kMailServices[] = {
    {"smtp", 25},  {"lmtp", 24},   {"submission", 587}, {"smtps", 465}, {"submissions", 465},
    {"pop3", 110}, {"pop3s", 995}, {"imap", 143},       {"imap2", 143}, {"imaps", 993}};

std::vector<NamedPort>& known_ports() {
    static std::vector<NamedPort> ports;
    return ports;
}

bool is_number(std::string_view text) { return text.find_first_not_of("0123456789") == text.npos; }

}  // namespace

Result<std::vector<NamedPort>> parse_known_port(std::string_view word) {
    const auto parts = split(word, '=');
    const auto port = parse_number<std::uint16_t>(parts.back());
    std::vector<NamedPort> ports;
    for (std::size_t i = 0; port && *port != 0 && i + 1 < parts.size(); ++i) {
        if (!is_number(parts[i])) ports.emplace_back(parts[i], *port);
    }
    if (parts.size() > 1 && ports.size() + 1 == parts.size()) return ports;
    return Error{Errc::invalid,
                 cat({"\"", printable(word, 100), "\": expected name=port or name=name=port"})};
}

void set_known_ports(std::vector<NamedPort> ports) { known_ports() = std::move(ports); }

Result<std::uint16_t> parse_port(std::string_view text) {
    if (const auto number = parse_number<std::uint16_t>(text)) {
        if (*number != 0) return *number;
    } else {
        for (const auto& [name, port] : known_ports()) {
            if (iequals(text, name)) return port;
        }
        const std::string name(text);
        if (const servent* found = ::getservbyname(name.c_str(), "tcp"))
            return ntohs(static_cast<std::uint16_t>(found->s_port));
        for (const auto& [service, port] : kMailServices) {
            if (iequals(text, service)) return port;
        }
    }
    return Error{Errc::invalid, cat({printable(text, 200),
                                     ": neither a port number nor a service that is known"})};
}

}  // namespace postern::sys
