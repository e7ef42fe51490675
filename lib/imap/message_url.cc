#include "lib/imap/message_url.h"

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/imap/mailbox_name.h"
#include "lib/mail/date.h"

namespace postern::imap {
namespace {

constexpr std::size_t kMinToken = 32;  // RFC 4467 2.3: 128 bits at least

// "%41" -> "A". Nothing for a bad escape or a control character.
std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        char c = text.front();
        text.remove_prefix(1);
        if (c == '%') {
            const auto byte = hex_decode(text.substr(0, 2));
            if (!byte || byte->size() != 1) return std::nullopt;
            c = byte->front();
            text.remove_prefix(2);
        }
        if (is_control(c)) return std::nullopt;
        out += c;
    }
    return out;
}

// Takes what stands before the first of these characters.
std::string_view take_until(std::string_view& rest, std::string_view ends) {
    const auto taken = rest.substr(0, rest.find_first_of(ends));
    rest.remove_prefix(taken.size());
    return taken;
}

// ";UID=" in any case.
bool eat_key(std::string_view& rest, std::string_view key) {
    if (!istarts_with(rest, key)) return false;
    rest.remove_prefix(key.size());
    return true;
}

Result<std::string> decoded(std::string_view text) {
    auto out = percent_decode(text);
    if (!out || out->empty()) return bad("Invalid URL");
    return *std::move(out);
}

// "imap://fred;AUTH=*@host:143"; the path is next.
Result<void> parse_server(std::string_view& rest, MessageUrl& out) {
    if (!eat_key(rest, "imap://")) return {};
    out.absolute = true;
    std::string_view server = take_until(rest, "/");
    if (const auto at = server.rfind('@'); at != std::string_view::npos) {
        std::string_view user = server.substr(0, at);
        user = user.substr(0, ifind(user, ";AUTH="));
        if (!user.empty()) {
            TRY_ASSIGN(out.user, decoded(user));
        }
        server.remove_prefix(at + 1);
    }
    if (server.empty()) return bad("URL without a server");
    out.host = server;
    return {};
}

// "/INBOX;UIDVALIDITY=12/;UID=3"
Result<void> parse_message(std::string_view& rest, MessageUrl& out) {
    if (!rest.starts_with('/')) return bad("URL is not absolute");
    rest.remove_prefix(1);
    const auto end = ifind(rest, "/;UID=");
    if (end == std::string_view::npos || end == 0) return bad("URL is not a message's");
    std::string_view name = rest.substr(0, end);
    rest.remove_prefix(end + std::string_view("/;UID=").size());
    if (const auto at = ifind(name, ";UIDVALIDITY="); at != std::string_view::npos) {
        out.uid_validity = parse_number<std::uint32_t>(name.substr(at + 13));
        if (!out.uid_validity) return bad("Invalid UIDVALIDITY in a URL");
        name = name.substr(0, at);
    }
    TRY_ASSIGN(const std::string utf8, decoded(name));
    out.mailbox = encode_mailbox_name(utf8);
    const auto uid = parse_number<std::uint32_t>(take_until(rest, "/;"));
    if (!uid || *uid == 0) return bad("Invalid UID in a URL");
    out.uid = *uid;
    return {};
}

Result<void> parse_section_and_partial(std::string_view& rest, MessageUrl& out) {
    if (eat_key(rest, "/;SECTION=")) {
        out.whole = false;
        TRY_ASSIGN(const std::string text, decoded(take_until(rest, ";/")));
        Parser parser(text);
        TRY_ASSIGN(out.section, parse_section(parser));
        TRY(parser.end());
    }
    if (eat_key(rest, "/;PARTIAL=")) {
        FetchItem::Partial partial;
        const std::string_view range = take_until(rest, ";/");
        const auto parts = split_once(range, '.');
        const auto offset = parse_number<std::uint64_t>(parts ? parts->first : range);
        const auto count = parts ? parse_number<std::uint64_t>(parts->second) : std::nullopt;
        if (!offset || (parts && (!count || *count == 0))) return bad("Invalid PARTIAL in a URL");
        out.partial = FetchItem::Partial{*offset, count.value_or(0)};
    }
    return {};
}

bool is_access(std::string_view access) {
    return iequals(access, "anonymous") || iequals(access, "authuser") ||
           (istarts_with(access, "user+") && access.size() > 5) ||
           (istarts_with(access, "submit+") && access.size() > 7);
}

// "[;EXPIRE=date];URLAUTH=access[:mechanism:token]", at the end
Result<void> parse_auth(std::string_view whole, std::string_view rest, MessageUrl& out) {
    UrlAuth auth;
    if (eat_key(rest, ";EXPIRE=")) {
        const auto date = mail::parse_rfc3339(take_until(rest, ";"));
        if (!date) return bad("Invalid EXPIRE in a URL");
        auth.expires = date->seconds;
    }
    if (!eat_key(rest, ";URLAUTH=")) return bad("Unexpected text at the end of a URL");
    TRY_ASSIGN(auth.access, decoded(take_until(rest, ":")));
    if (!is_access(auth.access)) return bad("Invalid URLAUTH access");
    auth.rump_size = whole.size() - rest.size();
    if (!rest.empty()) {
        rest.remove_prefix(1);
        auth.mechanism = take_until(rest, ":");
        if (auth.mechanism.empty() || rest.empty()) return bad("Invalid URLAUTH");
        auth.token = rest.substr(1);
        if (auth.token.size() < kMinToken || !hex_decode(auth.token)) return bad("Invalid URLAUTH");
    }
    out.auth = std::move(auth);
    return {};
}

}  // namespace

Result<MessageUrl> parse_message_url(std::string_view text) {
    if (text.size() > kMaxUrl) return bad("URL is too long");
    MessageUrl out;
    std::string_view rest = text;
    TRY(parse_server(rest, out));
    TRY(parse_message(rest, out));
    TRY(parse_section_and_partial(rest, out));
    if (!rest.empty()) TRY(parse_auth(text, rest, out));
    return out;
}

}  // namespace postern::imap
