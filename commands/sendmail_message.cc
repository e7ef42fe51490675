#include "commands/sendmail_message.h"

#include <utility>

#include "lib/base/strings.h"
#include "lib/mail/address_list.h"
#include "lib/mail/header.h"

namespace postern::commands {
namespace {

constexpr std::string_view kAtomSpecials = "()<>[]:;@\\,\"";

// RFC 5322 3.2.4: a local part that is no dot-atom is written as a quoted string.
std::string quoted_local(std::string_view local) {
    bool plain = !local.empty() && local.front() != '.' && local.back() != '.' &&
                 local.find("..") == std::string_view::npos;
    for (const char c : local)
        plain = plain && c > ' ' && c != 127 && kAtomSpecials.find(c) == std::string_view::npos;
    for (const char c : local) plain = plain || static_cast<unsigned char>(c) >= 128;
    if (plain) return std::string(local);
    std::string out = "\"";
    for (const char c : local) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::vector<std::string> recipients_in(std::string_view header,
                                       std::initializer_list<std::string_view> names) {
    std::vector<std::string> found;
    mail::HeaderCursor cursor(header);
    while (const auto field = cursor.next())
        for (const std::string_view name : names)
            if (iequals(field->name, name))
                for (std::string& address : parse_recipients(field->body))
                    found.push_back(std::move(address));
    return found;
}

}  // namespace

void LineConverter::feed(std::string_view bytes, std::string& out) {
    while (!bytes.empty() && !ended_) {
        const std::size_t end = bytes.find('\n');
        if (end == std::string_view::npos) {
            partial_ += bytes;
            return;
        }
        if (partial_.empty()) {
            line(bytes.substr(0, end), out);
        } else {
            partial_ += bytes.substr(0, end);
            std::string whole;
            whole.swap(partial_);
            line(whole, out);
        }
        bytes.remove_prefix(end + 1);
    }
}

void LineConverter::line(std::string_view text, std::string& out) {
    if (crs_ == Crs::as_first) crs_ = text.ends_with('\r') ? Crs::always : Crs::never;
    while (crs_ == Crs::always && text.ends_with('\r')) text.remove_suffix(1);
    if (dot_ends_ && text == ".") {
        ended_ = true;
        return;
    }
    if (at_top_ && (text.starts_with("From ") || text.starts_with(">From "))) return;
    at_top_ = false;
    out += text;
    out += "\r\n";
}

void LineConverter::finish(std::string& out) {
    if (ended_ || partial_.empty()) return;
    std::string whole;
    whole.swap(partial_);
    line(whole, out);
}

namespace {

// The front part of a list that the address parser takes whole: it ends behind a comma between two
// entries (RFC 5322 3.4), not within quotes, comments, angle brackets or groups.
std::string_view take_portion(std::string_view& list) {
    constexpr std::size_t kEntries = mail::kMaxListedAddresses / 2;
    std::size_t entries = 0;
    int comment = 0;
    bool quoted = false, angle = false, group = false;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const char c = list[i];
        if (c == '\\') {
            ++i;
        } else if (comment > 0 || quoted) {
            if (quoted && c == '"') quoted = false;
            if (comment > 0) comment += c == '(' ? 1 : c == ')' ? -1 : 0;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '(') {
            comment = 1;
        } else if (c == '<' || c == '>') {
            angle = c == '<';
        } else if (!angle && (c == ':' || c == ';')) {
            group = c == ':';
        } else if (c == ',' && !angle && !group && ++entries == kEntries) {
            const std::string_view front = list.substr(0, i);
            list.remove_prefix(i + 1);
            return front;
        }
    }
    return std::exchange(list, std::string_view());
}

}  // namespace

std::vector<std::string> parse_recipients(std::string_view list) {
    std::vector<std::string> addresses;
    while (!list.empty()) {
        for (const mail::ListedAddress& entry : mail::parse_address_list(take_portion(list))) {
            if (entry.kind != mail::ListedAddress::Kind::mailbox || entry.local.empty()) continue;
            const std::string local = quoted_local(entry.local);
            addresses.push_back(entry.domain.empty() ? local : cat({local, "@", entry.domain}));
        }
    }
    return addresses;
}

std::vector<std::string> header_recipients(std::string_view message) {
    std::vector<std::string> found =
        recipients_in(message, {"Resent-To", "Resent-Cc", "Resent-Bcc"});
    if (found.empty()) found = recipients_in(message, {"To", "Cc", "Bcc"});
    return found;
}

bool has_whole_header(std::string_view message) {
    return message.starts_with("\r\n") || message.find("\r\n\r\n") != std::string_view::npos;
}

}  // namespace postern::commands
