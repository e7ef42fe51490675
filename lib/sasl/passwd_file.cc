#include "lib/sasl/passwd_file.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/sasl/server_exchange.h"

namespace postern::sasl {
namespace {

// The fields of a line: a ':' inside "{SCHEME}" cannot be, but a plain password may not have one
// either; extra is the rest of the line, since its values may contain ':'.
std::vector<std::string_view> fields_of(std::string_view line) {
    std::vector<std::string_view> fields;
    for (int i = 0; i < 7; ++i) {
        const auto parts = split_once(line, ':');
        if (!parts) break;
        fields.push_back(parts->first);
        line = parts->second;
    }
    fields.push_back(line);
    return fields;
}

}  // namespace

bool is_user_name(std::string_view name) {
    if (name.empty() || name.size() > kMaxUser || name.front() == '#' || name.front() == '-')
        return false;
    return std::none_of(name.begin(), name.end(),
                        [](char c) { return is_control(c) || c == ':' || c == '/' || c == ' '; }) &&
           name != "." && name != "..";
}

Result<std::optional<PasswdEntry>> parse_passwd_line(std::string_view line) {
    line = trim_right(line);
    if (line.empty() || line.front() == '#') return std::optional<PasswdEntry>();
    const auto fields = fields_of(line);
    if (fields.size() < 2 || !is_user_name(fields[0]))
        return Error{Errc::invalid, "not a passwd-file entry", 0};
    PasswdEntry entry;
    std::string* const targets[] = {&entry.user,  &entry.password, &entry.uid,   &entry.gid,
                                    &entry.gecos, &entry.home,     &entry.shell, &entry.extra};
    for (std::size_t i = 0; i < fields.size(); ++i) *targets[i] = fields[i];
    return std::optional<PasswdEntry>(std::move(entry));
}

std::string format_passwd_line(const PasswdEntry& e) {
    std::string line = cat({e.user, ":", e.password, ":", e.uid, ":", e.gid, ":", e.gecos, ":",
                            e.home, ":", e.shell, ":", e.extra});
    // user and password stay, whatever is empty.
    const std::size_t keep = e.user.size() + 1 + e.password.size();
    while (line.size() > keep && line.back() == ':') line.pop_back();
    if (line.size() == e.user.size()) line += ':';
    return line;
}

std::string salt_key_file(std::string_view passwd_file) { return cat({passwd_file, ".salt"}); }

std::optional<std::string_view> extra_field(std::string_view extra, std::string_view key) {
    for (const std::string_view word : split_words(extra)) {
        const auto pair = split_once(word, '=');
        if (pair ? pair->first == key : word == key)
            return pair ? pair->second : std::string_view();
    }
    return std::nullopt;
}

std::string expand_mailbox_path(std::string_view text, std::string_view home,
                                std::string_view user) {
    const auto at = user.find('@');
    const std::string_view domain =
        at == std::string_view::npos ? std::string_view() : user.substr(at + 1);
    const std::pair<std::string_view, std::string_view> known[] = {
        {"${home}", home}, {"$home", home}, {"${user}", user},          {"$user", user},
        {"%h", home},      {"%u", user},    {"%n", user.substr(0, at)}, {"%d", domain}};
    std::string out;
    while (!text.empty()) {
        const auto sign = text.find_first_of("$%");
        out += text.substr(0, sign);
        if (sign == std::string_view::npos) break;
        text.remove_prefix(sign);
        const auto found = std::find_if(std::begin(known), std::end(known), [&](const auto& row) {
            return text.starts_with(row.first);
        });
        const bool is_known = found != std::end(known);
        out += is_known ? found->second : text.substr(0, 1);
        text.remove_prefix(is_known ? found->first.size() : 1);
    }
    return out;
}

namespace {

std::string path_for(const PasswdEntry& entry, std::string_view path) {
    if (path.starts_with("~/")) return cat({entry.home, path.substr(1)});
    return expand_mailbox_path(path, entry.home, to_lower(entry.user));
}

// Where Dovecot keeps what it can make anew concerns nobody else.
bool is_harmless_option(std::string_view format, std::string_view option) {
    const std::string_view key = option.substr(0, option.find('='));
    if (key == "INBOX") return format == "mbox";
    return key.starts_with("INDEX") || key == "VOLATILEDIR" || option == "LAYOUT=maildir++" ||
           format == "mbox";
}

}  // namespace

Result<void> check_mailbox(const PasswdEntry& entry) {
    const auto own = extra_field(entry.extra, "userdb_mail");
    if (!own) return {};
    const auto parts = split(*own, ':');
    const auto bad = [&](std::string_view what) {
        return Error{Errc::invalid,
                     cat({"userdb_mail=", printable(*own, 200), ": ", what, " is not supported"}), 0};
    };
    if (parts[0] != "maildir" && parts[0] != "mbox") return bad(cat({"the format ", parts[0]}));
    for (std::size_t i = 2; i < parts.size(); ++i)
        if (!is_harmless_option(parts[0], parts[i])) return bad(parts[i]);
    return {};
}

std::string mailbox_of(const PasswdEntry& entry, std::string_view path_template) {
    const auto own = extra_field(entry.extra, "userdb_mail");
    std::string_view mailbox = path_template;
    if (own && own->starts_with("maildir:"))
        mailbox = own->substr(8).substr(0, own->substr(8).find(':'));
    return path_for(entry, mailbox);
}

std::string inbox_file_of(const PasswdEntry& entry, std::string_view path_template) {
    const auto own = extra_field(entry.extra, "userdb_mail");
    if (!own) return path_for(entry, path_template);
    if (!own->starts_with("mbox:")) return {};
    const auto parts = split(own->substr(5), ':');
    for (const std::string_view part : parts)
        if (part.starts_with("INBOX=")) return path_for(entry, part.substr(6));
    return path_for(entry, cat({parts[0], "/inbox"}));
}

}  // namespace postern::sasl
