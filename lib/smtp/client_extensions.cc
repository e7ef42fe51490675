// What a server offers in its answer to EHLO, and what cannot be sent to it for want of that. See
// client_session.h.
#include <algorithm>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"

#include "lib/smtp/client_session.h"

namespace postern::smtp {

void ClientSession::parse_extensions(const Reply& reply) {
    extensions_ = {};
    for (std::size_t i = 1; i < reply.lines.size(); ++i) {
        std::string_view line = reply.lines[i];
        auto words = split_words(line.size() > 4 ? line.substr(4) : std::string_view{});
        if (words.empty()) continue;
        std::string_view keyword = words[0];
        const auto& ignored = options_.ignored_extensions;
        if (std::any_of(ignored.begin(), ignored.end(),
                        [&](const std::string& one) { return iequals(one, keyword); }))
            continue;
        if (iequals(keyword, "PIPELINING")) extensions_.pipelining = true;
        if (iequals(keyword, "8BITMIME")) extensions_.eight_bit_mime = true;
        if (iequals(keyword, "STARTTLS")) extensions_.starttls = true;
        if (iequals(keyword, "ENHANCEDSTATUSCODES")) extensions_.enhanced_status = true;
        if (iequals(keyword, "DSN")) extensions_.dsn = true;
        if (iequals(keyword, "SMTPUTF8")) extensions_.smtputf8 = true;
        if (iequals(keyword, "CHUNKING")) extensions_.chunking = true;
        if (iequals(keyword, "MT-PRIORITY")) extensions_.mt_priority = true;
        if (iequals(keyword, "AUTH")) extensions_.auth = trim(line.substr(4 + keyword.size()));
        if (iequals(keyword, "XFORWARD"))
            extensions_.xforward = trim(line.substr(4 + keyword.size()));
        if (iequals(keyword, "SIZE")) {
            extensions_.size = true;
            if (words.size() > 1) {
                extensions_.size_limit = parse_number<std::uint64_t>(words[1]).value_or(0);
            }
        }
    }
}

bool ClientSession::refused_by_extensions() {
    if (extensions_.size && extensions_.size_limit > 0 &&
        transaction_.size > extensions_.size_limit) {
        // RFC 1870 6.1
        decide_rest(
            {Verdict::reject("5.3.4",
                             cat({"message size ", std::to_string(transaction_.size),
                                  " exceeds size limit ", std::to_string(extensions_.size_limit),
                                  " of server ", peer_.with_address()})),
             ""});
        return true;
    }
    return transaction_.smtputf8 && !extensions_.smtputf8 && refuse_utf8();
}

// RFC 6531 3.1, 3.5: what was only asked for goes without it; what needs it does not go at all.
bool ClientSession::refuse_utf8() {
    const RecipientOutcome outcome{
        Verdict::reject("5.6.7", cat({"SMTPUTF8 is required, but was not offered by host ",
                                      peer_.with_address()})),
        ""};
    if (transaction_.utf8_header || !is_ascii(transaction_.sender)) {
        decide_rest(outcome);
        return true;
    }
    for (std::size_t i = 0; i < progress_.size(); ++i) {
        if (!is_ascii(transaction_.recipients[i].address)) decide(i, outcome);
    }
    return std::all_of(progress_.begin(), progress_.end(),
                       [](const Progress& one) { return one.decided; });
}

}  // namespace postern::smtp
