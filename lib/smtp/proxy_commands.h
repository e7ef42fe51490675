// XCLIENT and XFORWARD, Postfix's extensions for clients that speak for others: a proxy or a test
// says whose session this is to be taken for (XCLIENT), a content filter whom it has the message
// from, for the log (XFORWARD). Their arguments, for the server and for the client. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/smtp/command.h"

namespace postern::smtp {

// What XCLIENT gave; nothing where it did not say. "[UNAVAILABLE]" has become "unknown" for NAME,
// REVERSE_NAME and ADDR, and empty for the rest.
struct XclientArguments {
    std::optional<std::string> name, reverse_name, address, port, helo, protocol, login;
    std::optional<std::string> server_address, server_port;
};

// What is known of the message's origin. What no XFORWARD gave is "unknown" or empty.
struct Forwarded {
    std::string name = "unknown", address = "unknown", port = "unknown";
    std::string protocol = "unknown", helo, ident;
    bool local = false;  // SOURCE=LOCAL
};

inline constexpr std::string_view kXclientAttributes =
    "NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT";
inline constexpr std::string_view kXforwardAttributes = "NAME ADDR PROTO HELO SOURCE PORT IDENT";

Parsed<XclientArguments> parse_xclient(std::string_view argument);
// Adds to what is known already. Of several attributes none counts when one is bad.
std::optional<ArgumentError> parse_xforward(std::string_view argument, Forwarded& known);

// For a server that has announced these attributes ("NAME ADDR PROTO HELO SOURCE"): the arguments
// of up to two commands, without those that are empty or "unknown" to us.
std::vector<std::string> xforward_commands(std::string_view announced, const Forwarded& origin);

}  // namespace postern::smtp
