// The command line of sendmail(1), as Postfix and Sendmail have it. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/queue/maildrop.h"

namespace postern::commands {

struct SendmailOptions {
    enum class Mode : unsigned char {
        submit,
        list_queue,
        flush_queue,
        flush_message,
        flush_site,
        new_aliases,
        start,
        stand_alone
    };

    Mode mode = Mode::submit;
    std::string argument;  // of flush_message (queue id) and flush_site, alias file of new_aliases
    std::string config_directory;
    bool dot_ends = true;                 // -i: no
    bool recipients_from_header = false;  // -t
    bool report = false;  // -v: a report of the first attempt; -bv: of what would be done
    bool verify_only = false;
    std::optional<std::string> verp;  // -XV: its delimiters; empty: the usual ones
    int verbose = 0;
    bool sender_given = false;
    queue::MaildropEnvelope envelope;  // recipients: as on the command line, not parsed
};

// argv[0] chooses the mode too: mailq, newaliases, smtpd. An Error's text is what to print after
// "fatal: ".
Result<SendmailOptions> parse_sendmail_options(std::vector<std::string> arguments);

}  // namespace postern::commands
