#include "lib/mailbox/summary.h"

#include "lib/base/strings.h"
#include "lib/imap/response.h"
#include "lib/mail/envelope.h"
#include "lib/mail/header.h"

namespace postern::mailbox {
namespace {

constexpr std::size_t kMaxField = 2048;

// Traces and signatures: most of a header's bytes, and of no interest to a list of messages.
constexpr std::string_view kBulky[] = {
    "Received",
    "Received-SPF",
    "DKIM-Signature",
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
    "Authentication-Results",
    "DomainKey-Signature",
    "X-Google-DKIM-Signature",
    "X-Received",
    "X-Spam-Report",
    "Autocrypt",
};

bool is_bulky(const mail::HeaderField& field) {
    if (field.raw.size() > kMaxField || field.name.empty()) return true;
    for (const auto name : kBulky)
        if (iequals(name, field.name)) return true;
    return false;
}

}  // namespace

Summary summarize(std::string_view text, const mail::MimePart& structure) {
    Summary out;
    out.wire_size = text.size();
    const std::string_view header = mail::split_message(text).header;
    imap::append_envelope(out.envelope, mail::parse_envelope(header));
    imap::append_body(out.structure, text, structure, true);
    out.omitted.push_back(':');
    mail::HeaderCursor cursor(header);
    while (const auto field = cursor.next()) {
        if (!is_bulky(*field))
            out.header += field->raw;
        else if (!is_omitted(out.omitted, field->name))
            out.omitted += to_lower(field->name) + ':';
    }
    if (!out.header.empty() && !out.header.ends_with('\n')) out.header += "\r\n";
    return out;
}

bool is_omitted(std::string_view omitted, std::string_view name) {
    if (omitted.size() <= 1) return false;
    return omitted.find(cat({":", to_lower(name), ":"})) != std::string_view::npos;
}

}  // namespace postern::mailbox
