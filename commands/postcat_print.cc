#include "commands/postcat_print.h"

#include <time.h>

#include <cstdio>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/mail/xtext.h"

namespace postern::commands {
namespace {

// One record in Postfix's words; `type` is the letter by which Postfix's files know it.
std::string record(const PostcatOptions& options, std::uint64_t offset, char type,
                   std::string_view name, std::string_view value) {
    std::string out;
    char number[32];
    if (options.offsets)
        out.append(number,
                   static_cast<std::size_t>(std::snprintf(
                       number, sizeof number, "%9llu ", static_cast<unsigned long long>(offset))));
    if (options.record_types)
        out.append(number,
                   static_cast<std::size_t>(std::snprintf(number, sizeof number, "%3d ", type)));
    if (!name.empty()) out += cat({name, ": "});
    return out + cat({value, "\n"});
}

std::string sizes(std::uint64_t content, std::uint64_t offset, std::size_t recipients,
                  int utf8 = 0) {
    char text[128];
    const int n = std::snprintf(text, sizeof text, "%15llu %15llu %15zu %15d %15llu %15d",
                                static_cast<unsigned long long>(content),
                                static_cast<unsigned long long>(offset), recipients, 0,
                                static_cast<unsigned long long>(content), utf8);
    return {text, static_cast<std::size_t>(n)};
}

// As Postfix counts them: 1 asked for, 2 needed for the header, 4 for the sender.
int utf8_flags(const queue::Envelope& e) {
    if (!e.has(queue::kSmtpUtf8)) return 0;
    return 1 + (e.has(queue::kUtf8Header) ? 2 : 0) + (is_ascii(e.sender) ? 0 : 4);
}

std::string attribute(const PostcatOptions& options, std::string_view name,
                      std::string_view value) {
    return record(options, 0, 'A', "named_attribute", cat({name, "=", value}));
}

std::string envelope_id(const PostcatOptions& options, std::string_view envid) {
    const auto plain = mail::xtext_decode(envid);
    return attribute(options, "envelope_id", printable(plain ? *plain : envid));
}

// RET as Postfix writes it: a number.
std::string return_flags(const PostcatOptions& options, std::string_view ret) {
    return attribute(options, "ret_flags", ret == "full" ? "1" : "2");
}

std::string recipient(const PostcatOptions& options, const queue::Recipient& r) {
    std::string out;
    const std::uint64_t at = r.status_offset;
    if (!r.orcpt.empty())
        out += attribute(options, "dsn_orig_rcpt", mail::orcpt_for_people(r.orcpt));
    if (r.notify != 0) out += attribute(options, "notify_flags", std::to_string(r.notify));
    out += record(options, at, 'O', "original_recipient", r.shown_original());
    return out + record(options, at, r.done ? 'D' : 'R', r.done ? "done_recipient" : "recipient",
                        r.address);
}

}  // namespace

std::string show_mark(const PostcatOptions& options, std::string_view text,
                      const std::string& file) {
    return options.envelope ? cat({"*** ", text, " ", file, " ***\n"}) : "";
}

std::string show_envelope(const PostcatOptions& o, const std::string& file,
                          const queue::Message& message) {
    if (!o.envelope) return {};
    const queue::Envelope& e = message.envelope;
    std::string out = show_mark(o, "ENVELOPE RECORDS", file);
    out +=
        record(o, message.body.offset, 'C', "message_size",
               sizes(message.body.size, message.body.offset, e.recipients.size(), utf8_flags(e)));
    out += record(o, 0, 'T', "message_arrival_time",
                  format_local_time(e.arrival, "%a %b %e %H:%M:%S %Y"));
    out += attribute(o, "log_ident", e.id.str());
    if (e.has(queue::kBody8bit)) out += attribute(o, "encoding", "8bit");
    out += record(o, 0, 'S', "sender", e.sender);
    for (const queue::Attribute& a : e.attributes) {
        out += a.name == queue::attribute::kEnvid ? envelope_id(o, a.value)
               : a.name == queue::attribute::kRet ? return_flags(o, a.value)
                                                  : attribute(o, a.name, a.value);
    }
    for (const queue::Recipient& r : e.recipients) out += recipient(o, r);
    return out;
}

std::string show_envelope(const PostcatOptions& o, const std::string& file,
                          const queue::MaildropEnvelope& e, std::uint64_t content_size) {
    if (!o.envelope) return {};
    std::string out = show_mark(o, "ENVELOPE RECORDS", file);
    out += record(o, 0, 'C', "message_size", sizes(content_size, 0, e.recipients.size()));
    if (!e.full_name.empty()) out += record(o, 0, 'F', "sender_fullname", e.full_name);
    out += record(o, 0, 'S', "sender", e.sender);
    if (e.body_8bit) out += attribute(o, "encoding", "8bit");
    if (!e.envid.empty()) out += envelope_id(o, e.envid);
    if (!e.ret.empty()) out += return_flags(o, e.ret);
    if (e.notify != 0) out += attribute(o, "notify_flags", std::to_string(e.notify));
    for (const std::string& r : e.recipients) out += record(o, 0, 'R', "recipient", r);
    return out;
}

std::string TextPrinter::feed(std::string_view bytes) {
    partial_ += bytes;
    std::string out;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = partial_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
        std::string_view line = std::string_view(partial_).substr(begin, end - begin);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const bool wanted =
            (in_header_ ? options_.header : options_.body) && offset_ + begin >= options_.start;
        // The empty line between the two is shown when both are.
        if (in_header_ && line.empty()) in_header_ = false;
        const bool separator =
            !in_header_ && line.empty() && wanted && options_.header && !options_.body;
        if (wanted && !separator) out += record(options_, offset_ + begin, 'N', "", line);
    }
    offset_ += begin;
    partial_.erase(0, begin);
    return out;
}

}  // namespace postern::commands
