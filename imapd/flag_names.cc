#include "imapd/flag_names.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/mailbox/acl.h"

namespace postern::imapd {
namespace {

using mailbox::KeywordBits;
using mailbox::SystemFlags;

constexpr SystemFlags kOrder[] = {mailbox::kAnswered, mailbox::kFlagged, mailbox::kDeleted,
                                  mailbox::kSeen, mailbox::kDraft};

void add(std::string& list, std::string_view name) {
    if (list.size() > 1) list += ' ';
    list += name;
}

}  // namespace

Result<NamedFlags> sort_flags(std::span<const std::string> names) {
    NamedFlags out;
    for (const std::string& name : names) {
        if (const auto bit = mailbox::system_flag(name)) {
            out.system = static_cast<SystemFlags>(out.system | *bit);
        } else if (name.starts_with('\\') || !mailbox::is_keyword(name)) {
            return Error{Errc::invalid, "Invalid flag " + printable(name, 60)};
        } else {
            out.keywords.push_back(name);
        }
    }
    return out;
}

bool has_room_for(std::span<const std::string> names, std::vector<std::string> keywords) {
    for (const std::string& name : names) {
        const auto is_it = [&](const std::string& known) { return iequals(known, name); };
        if (std::none_of(keywords.begin(), keywords.end(), is_it)) keywords.push_back(name);
    }
    return keywords.size() <= mailbox::kMaxKeywords;
}

std::string flag_list(const mailbox::Message& message, const std::vector<std::string>& keywords,
                      bool recent) {
    std::string list = "(";
    for (const SystemFlags bit : kOrder) {
        if ((message.flags.system & bit) != 0) add(list, mailbox::system_flag_name(bit));
    }
    for (std::size_t i = 0; i < keywords.size() && message.flags.keywords >> i != 0; ++i) {
        if ((message.flags.keywords >> i & 1) != 0) add(list, keywords[i]);
    }
    if (recent && message.recent) add(list, "\\Recent");
    return list + ')';
}

std::string all_flags(const std::vector<std::string>& keywords) {
    std::string list = "(";
    for (const SystemFlags bit : kOrder) add(list, mailbox::system_flag_name(bit));
    for (const std::string& keyword : keywords) add(list, keyword);
    return list + ')';
}

SystemFlags settable_flags(std::string_view rights) {
    int mask = 0;
    if (mailbox::has_right(rights, 's')) mask |= mailbox::kSeen;
    if (mailbox::has_right(rights, 't')) mask |= mailbox::kDeleted;
    if (mailbox::has_right(rights, 'w')) mask |= ~(mailbox::kSeen | mailbox::kDeleted);
    return static_cast<SystemFlags>(mask & mailbox::kAllSystemFlags);
}

std::string permanent_flags(const std::vector<std::string>& keywords, std::string_view rights) {
    std::string list = "(";
    for (const SystemFlags bit : kOrder)
        if ((settable_flags(rights) & bit) != 0) add(list, mailbox::system_flag_name(bit));
    if (mailbox::has_right(rights, 'w')) {
        for (const std::string& keyword : keywords) add(list, keyword);
        if (keywords.size() < mailbox::kMaxKeywords) add(list, "\\*");
    }
    return list + ')';
}

}  // namespace postern::imapd
