// What Dovecot and Courier keep beside the messages of a Maildir: UIDs, keywords, subscriptions. A
// folder without our own files is adopted with them, so that no client notices; and they are
// written for the way back. Texts in, values out. The files are other programs', and may hold
// anything.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

struct ForeignUids {
    std::uint32_t validity = 0;
    std::uint32_t next_uid = 1;
    // UID and base name (before ":2,"), UIDs ascending.
    std::vector<std::pair<std::uint32_t, std::string>> messages;
};
// dovecot-uidlist, versions 1 and 3; courierimapuiddb. Nothing for what cannot be understood.
std::optional<ForeignUids> parse_dovecot_uidlist(std::string_view text);
std::optional<ForeignUids> parse_courier_uiddb(std::string_view text);

// dovecot-keywords: which keyword the letter stands for ('a' to 'z') in names of files.
std::map<char, std::string> parse_dovecot_keywords(std::string_view text);
// courierimapkeywords/:list: keywords by base name.
using KeywordsByBase = std::map<std::string, std::vector<std::string>, std::less<>>;
KeywordsByBase parse_courier_keywords(std::string_view text);

// courierpop3dsizelist, version 3: the unique ids that Courier's POP3 server has told, by base
// name. They have numbers of their own, which are not IMAP's; messages of before that version have
// the name.
using UidlByBase = std::map<std::string, std::string, std::less<>>;
UidlByBase parse_courier_pop3(std::string_view text);

// Names of folders as we have them ("Sent.2026"), from Dovecot's subscriptions (versions 1 and 2)
// and courierimapsubscribed ("INBOX.Sent.2026").
std::vector<std::string> parse_dovecot_subscriptions(std::string_view text);
std::vector<std::string> parse_courier_subscriptions(std::string_view text);

// For Dovecot. `guid`: 32 hexadecimal digits.
std::string format_dovecot_uidlist(const ForeignUids& uids, std::string_view guid);
std::string format_dovecot_keywords(const std::vector<std::string>& names);
std::string format_dovecot_subscriptions(const std::vector<std::string>& names);
inline constexpr std::size_t kDovecotKeywords = 26;

inline constexpr std::size_t kMaxForeignFile = 256 << 20;
// A file as a whole. Errc::corrupt for a larger one, and for what is no regular file.
Result<std::string> read_small_file(sys::Fs& fs, const std::string& path, std::size_t limit);

}  // namespace postern::mailbox
