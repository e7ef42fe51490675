#include "imapd/listing.h"

#include <algorithm>
#include <set>

#include "lib/base/strings.h"
#include "lib/imap/mailbox_name.h"
#include "lib/imap/response.h"

namespace postern::imapd {
namespace {

// RFC 6154: told from the names under which clients make these folders.
struct SpecialUse {
    std::string_view name, attribute;
};
constexpr SpecialUse kSpecialUses[] = {
    {"Archive", "\\Archive"},     {"Archives", "\\Archive"},
    {"Drafts", "\\Drafts"},       {"Junk", "\\Junk"},
    {"Spam", "\\Junk"},           {"Sent", "\\Sent"},
    {"Sent Messages", "\\Sent"},  {"Sent Items", "\\Sent"},
    {"Trash", "\\Trash"},         {"Deleted Messages", "\\Trash"},
    {"Deleted Items", "\\Trash"},
};

std::string attributes_of(const mailbox::Folder& folder) {
    std::string out = "(";
    if (!folder.selectable) out += "\\Noselect ";
    out += folder.has_children ? "\\HasChildren" : "\\HasNoChildren";  // RFC 3348
    for (const auto& use : kSpecialUses) {
        if (iequals(use.name, folder.name)) out += cat({" ", use.attribute});
    }
    return out + ')';
}

bool matches(std::string_view name, const std::string& pattern) {
    return imap::matches_pattern(name, pattern, mailbox::kSeparator);
}

}  // namespace

std::vector<Listed> list_folders(const std::vector<mailbox::Folder>& folders,
                                 std::string_view reference, std::string_view pattern) {
    const std::string whole = cat({reference, pattern});
    std::vector<Listed> out;
    for (const auto& folder : folders) {
        if (matches(folder.name, whole)) out.push_back({folder.name, attributes_of(folder)});
    }
    return out;
}

std::vector<Listed> list_subscriptions(const std::vector<std::string>& names,
                                       std::string_view reference, std::string_view pattern) {
    const std::string whole = cat({reference, pattern});
    const bool ends_at_level = whole.ends_with('%');
    std::vector<Listed> out;
    std::set<std::string> parents;
    for (const std::string& name : names) {
        if (matches(name, whole)) {
            out.push_back({name, "()"});
            continue;
        }
        for (auto at = name.rfind(mailbox::kSeparator);
             ends_at_level && at != std::string::npos && at > 0;
             at = name.rfind(mailbox::kSeparator, at - 1)) {
            const std::string parent = name.substr(0, at);
            if (!matches(parent, whole)) continue;
            if (!std::binary_search(names.begin(), names.end(), parent)) parents.insert(parent);
            break;
        }
    }
    for (const std::string& parent : parents) out.push_back({parent, "(\\Noselect)"});
    return out;
}

std::string list_line(std::string_view verb, const Listed& listed) {
    std::string line = cat(
        {"* ", verb, " ", listed.attributes, " \"", std::string(1, mailbox::kSeparator), "\" "});
    imap::append_astring(line, listed.name);
    return line + "\r\n";
}

}  // namespace postern::imapd
