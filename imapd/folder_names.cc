#include "imapd/folder_names.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/imap/mailbox_name.h"
#include "lib/mailbox/store.h"

namespace postern::imapd {
namespace {

constexpr std::string_view kInboxName = "INBOX";

// INBOX is one name in any case, also above others.
std::string with_upper_inbox(std::string name) {
    const std::string_view first =
        std::string_view(name).substr(0, name.find(mailbox::kSeparator));
    return iequals(first, kInboxName) ? cat({kInboxName, name.substr(first.size())}) : name;
}

// A slash is in no folder's name: the store knows what to answer.
std::string no_folder(std::string_view name) { return cat({"/", name}); }

bool may_begin_names(std::string_view prefix) {
    return std::all_of(prefix.begin(), prefix.end(), [](char c) {
        return c > ' ' && c < 0x7f && std::string_view("\"\\%*&").find(c) == std::string_view::npos;
    });
}

}  // namespace

Result<FolderNames> FolderNames::make(char separator, std::string_view prefix,
                                      std::vector<std::string> others) {
    FolderNames names{separator, {}, std::move(others)};
    if (prefix.empty()) return names;
    const auto bad = [&](std::string_view why) {
        return Error{Errc::invalid, cat({"\"", printable(prefix, 100), "\" ", why}), 0};
    };
    std::string full(prefix);
    names.swap_separators(full);
    const auto name = mailbox::Store::canonical(full);
    if (!may_begin_names(prefix) || !name)
        return bad(cat({"can begin no names with the separator \"", std::string(1, separator), "\""}));
    if (names.is_of_others(*name)) return bad("is the name of folders of others");
    names.prefix = cat({*name, std::string(1, mailbox::kSeparator)});
    return names;
}

bool FolderNames::is_of_others(std::string_view name) const {
    return std::any_of(others.begin(), others.end(), [&](const std::string& other) {
        return mailbox::is_within(name, other);
    });
}

// What is no separator here, but is on disk, becomes what is none there.
void FolderNames::swap_separators(std::string& name) const {
    for (char& c : name) {
        if (c == separator)
            c = mailbox::kSeparator;
        else if (c == mailbox::kSeparator)
            c = separator;
    }
}

std::string FolderNames::shown_prefix() const {
    std::string out = prefix;
    swap_separators(out);
    return out;
}

std::string FolderNames::full(std::string_view stored) const {
    const bool own = stored != kInboxName && !stored.empty() && !is_of_others(stored);
    return own ? cat({prefix, stored}) : std::string(stored);
}

std::string FolderNames::shown(const std::string& stored, bool utf8) const {
    std::string name = full(stored);
    swap_separators(name);
    return utf8 ? imap::decode_mailbox_name(name).value_or(name) : name;
}

std::optional<std::string> FolderNames::full_of_shown(const std::string& shown, bool utf8) const {
    std::string name = shown;
    if (utf8) {
        name = imap::encode_mailbox_name(shown);
        if (imap::decode_mailbox_name(name) != shown) return std::nullopt;
    }
    swap_separators(name);
    return name;
}

std::optional<std::string> FolderNames::stored(const std::string& shown, bool utf8) const {
    auto full = full_of_shown(shown, utf8);
    return full && !prefix.empty() ? without_prefix(with_upper_inbox(*full)) : full;
}

std::string FolderNames::without_prefix(const std::string& full) const {
    if (full.empty() || full == kInboxName || is_of_others(full)) return full;
    if (!full.starts_with(prefix)) return no_folder(full);
    std::string name = full.substr(prefix.size());
    if (name.empty() && full == "INBOX.") return std::string(kInboxName);
    return name.empty() || iequals(name, kInboxName) ? no_folder(full) : name;
}

}  // namespace postern::imapd
