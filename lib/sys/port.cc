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

}  // namespace

Result<std::uint16_t> parse_port(std::string_view text) {
    if (const auto number = parse_number<std::uint16_t>(text)) {
        if (*number != 0) return *number;
    } else {
        for (const auto& [name, port] : kMailServices) {
            if (iequals(text, name)) return port;
        }
        const std::string name(text);
        if (const servent* found = ::getservbyname(name.c_str(), "tcp"))
            return ntohs(static_cast<std::uint16_t>(found->s_port));
    }
    return Error{Errc::invalid, cat({printable(text, 200),
                                     ": neither a port number nor a service that is known"})};
}

}  // namespace postern::sys
