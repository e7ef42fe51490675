// A line of a passwd-file, Dovecot's form: user:{SCHEME}hash:uid:gid:gecos:home:shell:extra
// Later fields may be missing. Pure: text in, fields out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::sasl {

struct PasswdEntry {
    std::string user;
    std::string password;  // "{SCHEME}hash"; empty: may not log in
    std::string uid;       // number, system user's name, or empty: the default
    std::string gid;
    std::string gecos;
    std::string home;
    std::string shell;
    std::string extra;  // "userdb_mail=maildir:~/Mail nologin=y ..."

    bool operator==(const PasswdEntry&) const = default;
};

// Nothing for comments and empty lines; Errc::invalid for lines that are no entry.
Result<std::optional<PasswdEntry>> parse_passwd_line(std::string_view line);
std::string format_passwd_line(
    const PasswdEntry& entry);  // without line end; no trailing empty fields

// Where the key is that the salts of users are made with whom SCRAM does not know: beside the
// passwd-file, which it must be kept as secret as.
std::string salt_key_file(std::string_view passwd_file);

// May this be a user's name? Printable, no ':', not beginning with '#' or '-', at most 255 bytes.
bool is_user_name(std::string_view name);

// The value of key in the extra field: "userdb_mail" -> "maildir:~/Mail".
std::optional<std::string_view> extra_field(std::string_view extra, std::string_view key);

// "$home/Maildir", also "${home}", "$user", "${user}", and as Dovecot writes it: %h home, %u user,
// %n and %d what is before and behind its @; other dollars and per cents stay.
std::string expand_mailbox_path(std::string_view text, std::string_view home,
                                std::string_view user);
// Whether the entry's userdb_mail, if it has one, is something that we serve as Dovecot does.
// Errc::invalid: another format than Maildir++ and mbox, or an option by which its files are
// elsewhere or named otherwise (LAYOUT=fs).
Result<void> check_mailbox(const PasswdEntry& entry);
// Where the entry's mail is: by its own userdb_mail ("maildir:~/Mail", as Dovecot has it), else by
// the template.
std::string mailbox_of(const PasswdEntry& entry, std::string_view path_template);
// The mbox file that is the entry's INBOX: its own ("mbox:~/mail:INBOX=/var/mail/u", as Dovecot has
// it), else by the template; empty: none, INBOX is the Maildir's. A userdb_mail of "maildir:" has
// none.
std::string inbox_file_of(const PasswdEntry& entry, std::string_view path_template);

}  // namespace postern::sasl
