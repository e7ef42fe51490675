// Delivery status notifications (RFC 3461, 3462, 3464) in the form that Postfix sends. Pure: this
// makes what stands before and after the returned message; the caller copies that message in
// between.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"

#include "lib/queue/bounce_log.h"
#include "lib/queue/bounce_template.h"

namespace postern::bounce {

struct Dsn {
    // verify: what sendmail -v asks for, whatever became of each recipient.
    enum class Kind : unsigned char { failure, delay, success, verify };

    Kind kind = Kind::failure;
    bool to_postmaster = false;  // a copy, or a bounce that has no sender to go to
    queue::BounceTemplate text;  // its $names are expanded
    std::string queue_id;        // of the message that is reported on
    std::string myhostname;
    std::string from_domain;  // $myorigin
    std::string mail_name;
    std::string to;             // where the report goes
    std::string sender;         // of the message that is reported on; empty for a bounce
    std::string envid;          // RFC 3461 ENVID, decoded; may be empty
    std::string thread_fields;  // see threading.h
    WallTime arrival{};
    WallTime now{};
    WallTime retry_until{};     // delay: when it is given up
    bool headers_only = false;  // return the header block alone
    bool eight_bit = false;     // the returned message has 8-bit bytes
    bool utf8 = false;          // the message came with SMTPUTF8, and so goes the report: RFC 6533
    std::vector<queue::BounceRecord> recipients;
};

// Wire form, CRLF. report = before + (returned message or its header, ending in CRLF) + after.
struct DsnText {
    std::string before;
    std::string after;
};

DsnText make_dsn(const Dsn& dsn);
// Whether the report is 8-bit without regard to the returned message.
bool is_8bit(const Dsn& dsn);

// "text" as Postfix wraps it: the first line as it is, the others indented by four columns, broken
// at spaces so that lines have at most 76 columns where possible. Lines end in CRLF.
std::string wrap_text(std::string_view text);

// The remote server's own words in a delivery text: "host x said: 550 no (in reply to RCPT TO
// command)"
// -> "550 no"; other texts as they are.
std::string_view diagnostic_words(std::string_view text);

// RFC 5322 date in UTC, with Postfix's comment: "Sat, 21 Nov 2026 19:51:59 +0000 (UTC)".
std::string mail_date(WallTime time);

}  // namespace postern::bounce
