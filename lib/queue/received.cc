#include "lib/queue/received.h"

#include <time.h>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/mail/date.h"

namespace postern::queue {
namespace {

constexpr std::size_t kMaxWord = 255;

// What a client said goes into the header as printable text only: no line ends, no brackets of
// ours.
std::string word(std::string_view text) { return printable(text, kMaxWord); }

// RFC 5321 4.1.3: an IPv6 address is tagged.
std::string literal(std::string_view address) {
    return cat({address.find(':') != std::string_view::npos ? "[IPv6:" : "[", word(address), "]"});
}

std::string by(const ReceivedBy& who) { return cat({"by ", who.hostname, " (", who.mail_name}); }

// RFC 5322 3.2.2: within a comment parentheses and backslashes would end it or hide its end.
std::string comment(std::string_view text) {
    std::string out;
    for (const char c : word(text)) {
        if (c == '(' || c == ')' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

// smtpd's words about the client's certificate: parentheses in pairs are its own, names are not to
// end the comment.
std::string peer_comment(std::string_view text) {
    const auto last = text.rfind(" (");
    if (last == std::string_view::npos || !text.ends_with(')')) return comment(text);
    return cat({comment(text.substr(0, last)), text.substr(last)});
}

// RFC 3848, and RFC 6531 4.3: "UTF8SMTPSA" instead of "ESMTPSA".
std::string with(const ipc::SubmitOpen& open) {
    const std::string protocol = word(open.protocol);
    if (!open.smtputf8 || !istarts_with(protocol, "ESMTP")) return protocol;
    return "UTF8" + protocol.substr(1);
}

std::string tls_comment(const ipc::SubmitOpen& open) {
    if (open.tls_protocol.empty()) return {};
    const std::string bits = std::to_string(open.tls_bits);
    std::string out = cat({"\t(using ", word(open.tls_protocol), " with cipher ",
                           word(open.tls_cipher), " (", bits, "/", bits, " bits))\r\n"});
    if (!open.tls_peer.empty()) out += cat({"\t(", peer_comment(open.tls_peer), ")\r\n"});
    return out;
}

std::string from_network(const ipc::SubmitOpen& open, const ReceivedBy& who, const QueueId& id,
                         std::string_view recipient, std::string_view date) {
    const auto end = [&] {
        // UTF-8 in this field would bind the message to SMTPUTF8 wherever an alias leads it.
        if (recipient.empty() || !is_ascii(recipient)) return cat({"; ", date, "\r\n"});
        return cat({"\r\n\tfor <", word(recipient), ">; ", date, "\r\n"});
    };
    if (open.hide_client)
        return cat({"Received: ", by(who), ")", id.empty() ? "" : " id ", id.str(), end()});
    std::string out =
        cat({"Received: from ", word(open.helo.empty() ? open.client_name : open.helo), " (",
             word(open.client_name.empty() ? "unknown" : open.client_name), " ",
             literal(open.client_address), ")\r\n"});
    out += tls_comment(open);
    if (open.name_login && !open.sasl_username.empty())
        out += cat({"\t(Authenticated sender: ", comment(open.sasl_username), ")\r\n"});
    out += cat({"\t", by(who), ") with ", with(open)});
    if (!id.empty()) out += " id " + id.str();
    return out + end();
}

}  // namespace

std::string received_field(const ipc::SubmitOpen& open, const ReceivedBy& who, const QueueId& id,
                           std::string_view recipient, std::string_view date) {
    const std::string tail = cat({"\r\n\tid ", id.str(), "; ", date, "\r\n"});
    switch (open.origin) {
        case ipc::Origin::smtp: return from_network(open, who, id, recipient, date);
        case ipc::Origin::local:
            return cat({"Received: ", by(who), ", from userid ", std::to_string(open.local_uid),
                        ")", tail});
        case ipc::Origin::internal: break;
    }
    return cat({"Received: ", by(who), ")", tail});
}

std::string mail_date(WallTime when) {
    const time_t seconds = std::chrono::system_clock::to_time_t(when);
    tm local{};
    ::localtime_r(&seconds, &local);
    return cat({mail::format_date({seconds, static_cast<int>(local.tm_gmtoff / 60)}), " (",
                local.tm_zone, ")"});
}

std::string compact_date(WallTime when) {
    const time_t seconds = std::chrono::system_clock::to_time_t(when);
    tm utc{};
    ::gmtime_r(&seconds, &utc);
    char text[32];
    return {text, ::strftime(text, sizeof text, "%Y%m%d%H%M%S", &utc)};
}

}  // namespace postern::queue
