// Command: one line from an SMTP client, taken apart (RFC 5321 4.1.1). Pure. What follows the verb
// is parsed per command, into envelope types that hold only what is valid.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/mail/address.h"

namespace postern::smtp {

// In the order of the summary that is logged at the end of a session.
enum class Verb : unsigned char {
    helo,
    ehlo,
    xclient,
    xforward,
    starttls,
    auth,
    mail,
    rcpt,
    data,
    rset,
    noop,
    vrfy,
    etrn,
    quit,
    help,
    unknown
};
inline constexpr std::size_t kVerbCount = static_cast<std::size_t>(Verb::unknown) + 1;

// "MAIL"; "UNKNOWN" for the last.
std::string_view verb_name(Verb verb);

struct Command {
    Verb verb = Verb::unknown;
    std::string_view word;      // the verb as written
    std::string_view argument;  // what follows it, trimmed; views into the line
};

// Never fails: an unknown verb is Verb::unknown, an empty line has an empty word.
Command parse_command(std::string_view line);

enum class Body : unsigned char { unset, seven_bit, eight_bit };

// What MAIL or RCPT could not be, as the reply says it.
struct ArgumentError {
    int code = 501;
    std::string status = "5.5.4";
    std::string text;
};

// MAIL FROM:<path> [SIZE=n] [BODY=..] [RET=..] [ENVID=..] [AUTH=..] [SMTPUTF8]
// [MT-PRIORITY=n] [HOLDFOR=seconds] [HOLDUNTIL=date]
struct MailArguments {
    mail::Address sender;
    std::uint64_t size = 0;  // 0: not declared
    Body body = Body::unset;
    bool smtputf8 = false;
    std::string ret;                     // "FULL", "HDRS" or empty; RFC 3461 4.3
    std::string envid;                   // as given, xtext; RFC 3461 4.4
    std::string verp;                    // two delimiters, or empty: no VERP
    std::string auth;                    // as given, xtext; RFC 4954 5
    std::optional<int> priority;         // RFC 6710
    std::optional<Seconds> hold_for;     // RFC 4865
    std::optional<WallTime> hold_until;  // RFC 4865; at most one of the two
};

// NOTIFY bits, RFC 3461 4.1.
inline constexpr std::uint8_t kNever = 1, kSuccess = 2, kFailure = 4, kDelay = 8;

// RCPT TO:<path> [NOTIFY=..] [ORCPT=..]
struct RcptArguments {
    mail::Address recipient;
    std::uint8_t notify = 0;
    std::string orcpt;
};

// Which extensions a client that said EHLO may use.
struct Offered {
    bool esmtp = false;
    bool dsn = false;
    bool smtputf8 = false;        // MAIL may ask for it; for RCPT: it has
    bool utf8_addresses = false;  // smtputf8_enable: what is 8-bit must be UTF-8
    bool strict_utf8 = false;     // strict_smtputf8: and the client must have asked for SMTPUTF8
    bool auth = false;
    bool mt_priority = false, future_release = false;
    bool verp = false;  // XVERP: with which characters, and which usually
    std::string_view verp_filter, verp_delimiters;
    bool strict_paths = false;  // strict_rfc821_envelopes: not without <>
};

template <class T>
using Parsed = std::variant<T, ArgumentError>;

Parsed<MailArguments> parse_mail(std::string_view argument, const Offered& extensions);
// What VRFY asks about: "address [SMTPUTF8]".
Parsed<mail::Address> parse_vrfy(std::string_view argument, const Offered& extensions);
Parsed<RcptArguments> parse_rcpt(std::string_view argument, const Offered& extensions);

}  // namespace postern::smtp
