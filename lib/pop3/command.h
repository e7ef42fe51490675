// A POP3 command line taken apart (RFC 1939 3, RFC 2449 4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::pop3 {

// RFC 2449 4: 255 octets with CRLF. Clients with long user names send more; RFC 5034 4 lets SASL
// responses be as long as the mechanism needs.
inline constexpr std::size_t kMaxCommandLine = 1024;
inline constexpr std::size_t kMaxSaslLine = 16384;
inline constexpr unsigned kMaxBadCommands = 20;  // then the conversation ends

// What CAPA (RFC 2449) says before the login and, as RFC 2449 6 and RFC 5034 4 want it, after it
// too. Nothing that a client leaves here is removed.
struct Capabilities {
    std::uint32_t login_delay = 0;  // seconds between two logins (RFC 2449 6.5)
    bool passwords = false;         // USER and PASS may be used
    std::string mechanisms;         // of SASL, parted by blanks
};
std::string capability_lines(const Capabilities& capabilities);

struct Command {
    std::string verb;  // upper case
    std::string_view
        rest;  // of the line, behind one space: passwords may begin and end with spaces
    std::vector<std::string_view> words;

    static Command parse(std::string_view line);
    // The word as a message number: 1-based decimal; nothing otherwise.
    std::optional<std::uint32_t> number(std::size_t index) const;
};

}  // namespace postern::pop3
