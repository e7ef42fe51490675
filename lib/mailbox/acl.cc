#include "lib/mailbox/acl.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/line_log.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kAclHeader = "postern-acl 1";
constexpr std::string_view kOldCreate = "kx", kOldDelete = "xte";

bool is_identifier(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    return !text.empty() && text.size() <= kMaxIdentifier &&
           std::none_of(text.begin(), text.end(), [](char c) { return is_control(c); });
}

// The letters of both, or those of the first that are not in the second.
std::string joined(std::string_view a, std::string_view b) {
    std::string out;
    for (const char right : kAllRights)
        if (has_right(a, right) || has_right(b, right)) out += right;
    return out;
}
std::string without(std::string_view a, std::string_view b) {
    std::string out;
    for (const char right : a)
        if (!has_right(b, right)) out += right;
    return out;
}

std::string_view rights_in(const Acl& acl, const std::string& identifier) {
    const auto at = acl.find(identifier);
    return at == acl.end() ? std::string_view() : at->second;
}

}  // namespace

bool has_right(std::string_view rights, char right) {
    return rights.find(right) != std::string_view::npos;
}

Result<std::string> normal_rights(std::string_view letters) {
    std::string all;
    for (const char c : letters) {
        if (c == 'c')
            all += kOldCreate;
        else if (c == 'd')
            all += kOldDelete;
        else if (has_right(kAllRights, c))
            all += c;
        else
            return Error{Errc::invalid, "No right has that letter", 0};
    }
    return joined(all, "");
}

std::string shown_rights(std::string_view rights) {
    std::string out(rights);
    const auto any_of = [&](std::string_view letters) {
        return rights.find_first_of(letters) != std::string_view::npos;
    };
    if (any_of("k")) out += 'c';
    if (any_of(kOldDelete)) out += 'd';
    return out;
}

Result<void> change_acl(Acl& acl, std::string_view identifier, AclChange change,
                        std::string_view rights) {
    if (!is_identifier(identifier)) return Error{Errc::invalid, "Invalid identifier", 0};
    const std::string name(identifier);
    const std::string before(rights_in(acl, name));
    const std::string after = change == AclChange::replace ? std::string(rights)
                              : change == AclChange::add   ? joined(before, rights)
                                                           : without(before, rights);
    if (change == AclChange::erase)
        acl.erase(name);
    else
        acl.insert_or_assign(name, after);
    if (acl.size() > kMaxAclEntries) return Error{Errc::permanent, "Too many entries", 0};
    return {};
}

std::string rights_of_owner(const Acl& acl, std::string_view owner) {
    const std::string name(owner);
    if (!acl.contains(name) && !acl.contains("-" + name)) return std::string(kAllRights);
    std::string rights = acl.contains(name) ? joined(rights_in(acl, name), rights_in(acl, "anyone"))
                                            : std::string(kAllRights);
    rights = without(without(rights, rights_in(acl, "-" + name)), rights_in(acl, "-anyone"));
    return joined(rights, "la");
}

// "rights identifier" a line
Result<Acl> read_acl(sys::Fs& fs, const std::string& file) {
    Acl out;
    LineLog log(fs, file);
    const auto on_line = [&out](std::string_view line) {
        const auto parts = split_once(line, ' ');
        const auto rights = parts ? normal_rights(parts->first) : Error{Errc::invalid, "", 0};
        if (rights && is_identifier(parts->second))
            out.insert_or_assign(std::string(parts->second), *rights);
    };
    auto known = log.refresh({[](std::string_view) {}, on_line});
    if (!known) return std::move(known).error();
    return out;
}

Result<void> edit_acl(sys::Fs& fs, const std::string& file, std::string_view identifier,
                      AclChange change, std::string_view rights) {
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(fs, file + ".lock"));
    TRY_ASSIGN(Acl acl, read_acl(fs, file));
    TRY(change_acl(acl, identifier, change, rights));
    std::string content = cat({kAclHeader, "\n"});
    for (const auto& [name, letters] : acl) content += cat({letters, " ", name, "\n"});
    return LineLog(fs, file).replace(content);
}

}  // namespace postern::mailbox
