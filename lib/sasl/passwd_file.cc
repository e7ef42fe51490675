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
    std::string out;
    while (!text.empty()) {
        const auto dollar = text.find('$');
        out += text.substr(0, dollar);
        if (dollar == std::string_view::npos) break;
        text.remove_prefix(dollar);
        bool known = false;
        for (const auto& [name, value] :
             {std::pair<std::string_view, std::string_view>{"${home}", home},
              {"$home", home},
              {"${user}", user},
              {"$user", user}}) {
            if (!text.starts_with(name)) continue;
            out += value;
            text.remove_prefix(name.size());
            known = true;
            break;
        }
        if (known) continue;
        out += '$';
        text.remove_prefix(1);
    }
    return out;
}

std::string mailbox_of(const PasswdEntry& entry, std::string_view path_template) {
    const auto own = extra_field(entry.extra, "userdb_mail");
    std::string_view mailbox = path_template;
    if (own && own->starts_with("maildir:"))
        mailbox = own->substr(8).substr(0, own->substr(8).find(':'));
    if (mailbox.starts_with("~/")) return cat({entry.home, mailbox.substr(1)});
    return expand_mailbox_path(mailbox, entry.home, to_lower(entry.user));
}

}  // namespace postern::sasl
