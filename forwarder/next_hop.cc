#include "forwarder/next_hop.h"

#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/dns/resolver.h"
#include "lib/sys/port.h"

namespace postern::forwarder {
namespace {

Error bad(std::string_view text, std::string_view why) {
    return Error{Errc::invalid, cat({printable(text, 200), ": ", why})};
}

bool is_address(std::string_view text) { return IpAddress::parse(text).has_value(); }

// "[ipv6:...]" is how transport tables may write an IPv6 address.
std::string_view without_prefix(std::string_view name) {
    return istarts_with(name, "ipv6:") ? name.substr(5) : name;
}

Result<NextHop> parse_bracketed(std::string_view text, NextHop hop) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad(text, "\"]\" is missing");
    hop.kind = NextHop::Kind::host;
    hop.name = without_prefix(text.substr(1, end - 1));
    std::string_view rest = text.substr(end + 1);
    if (!rest.empty()) {
        if (rest[0] != ':') return bad(text, "\":port\" expected after \"]\"");
        hop.service = rest.substr(1);
        TRY_ASSIGN(hop.port, sys::parse_port(hop.service));
    }
    return hop;
}

}  // namespace

Result<NextHop> parse_next_hop(std::string_view text, bool mx) {
    NextHop hop;
    hop.text = text;
    if (text.starts_with("unix:")) {
        hop.kind = NextHop::Kind::unix_path;
        hop.name = text.substr(5);
        if (hop.name.empty()) return bad(text, "path is missing");
        return hop;
    }
    if (text.starts_with("inet:")) text.remove_prefix(5);
    hop.kind = mx ? NextHop::Kind::domain : NextHop::Kind::host;
    if (text.starts_with("[")) {
        TRY_ASSIGN(hop, parse_bracketed(text, std::move(hop)));
    } else if (auto parts = split_once(text, ':')) {
        hop.name = parts->first;
        hop.service = parts->second;
        TRY_ASSIGN(hop.port, sys::parse_port(hop.service));
    } else {
        hop.name = text;
    }
    if (hop.name.empty()) return bad(hop.text, "no host name");
    if (!is_address(hop.name)) {
        if (auto ascii = dns::ascii_name(hop.name); !ascii)
            return bad(hop.text, is_ascii(hop.name) ? "malformed host name" : ascii.error().what);
    }
    if (is_address(hop.name)) hop.kind = NextHop::Kind::host;
    return hop;
}

Result<std::vector<NextHop>> parse_next_hops(std::string_view text, bool mx) {
    std::vector<NextHop> hops;
    for (std::string_view word : split_words(text, " \t\r\n,")) {
        TRY_ASSIGN(NextHop hop, parse_next_hop(word, mx));
        hops.push_back(std::move(hop));
    }
    if (hops.empty()) return bad(text, "no destination");
    return hops;
}

}  // namespace postern::forwarder
