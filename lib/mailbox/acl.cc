#include "lib/mailbox/acl.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/line_log.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kAclHeader = "postern-acl 1";
constexpr std::string_view kOldCreate = "kx", kOldDelete = "te";

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
    if (any_of(kOldCreate)) out += 'c';
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

std::string rights_of_other(const Acl& acl, const Person& person) {
    std::string rights, denied;
    const auto add = [&acl](std::string& to, const std::string& identifier) {
        to = joined(to, rights_in(acl, identifier));
    };
    for (const std::string& group : person.groups) {
        add(rights, "$" + group);
        add(denied, "-$" + group);
    }
    add(rights, "anyone");
    add(denied, "-anyone");
    // RFC 4314 2: how entries are combined is the server's. One's own name says all.
    if (acl.contains(person.user)) rights = rights_in(acl, person.user);
    add(denied, "-" + person.user);
    return without(rights, denied);
}

std::vector<std::string> readers_of(const Acl& acl, std::string_view owner) {
    std::vector<std::string> out;
    for (const auto& [identifier, rights] : acl)
        if (!identifier.starts_with('-') && identifier != owner && has_right(rights, 'l'))
            out.push_back(identifier);
    return out;
}

namespace {

// "user=fred" is our "fred"; "owner" and what we do not know are nobody.
std::string own_identifier(std::string_view dovecot) {
    const bool negative = dovecot.starts_with('-');
    if (negative) dovecot.remove_prefix(1);
    std::string out;
    if (dovecot.starts_with("user="))
        out = dovecot.substr(5);
    else if (dovecot.starts_with("group="))
        out = cat({"$", dovecot.substr(6)});
    else if (dovecot == "anyone" || dovecot == "authenticated")
        out = "anyone";
    return negative && !out.empty() ? "-" + out : out;
}

constexpr std::size_t kMaxAclFile = 256 * 1024;

// Under the lock.
Result<void> write_acl(sys::Fs& fs, const std::string& file, const Acl& acl) {
    std::string content = cat({kAclHeader, "\n"});
    for (const auto& [name, letters] : acl) content += cat({letters, " ", name, "\n"});
    return LineLog(fs, file).replace(content);
}

// Whoever cannot spell gives nobody more, and takes no less.
std::string meant_rights(std::string_view identifier, std::string_view letters) {
    if (auto rights = normal_rights(letters)) return *std::move(rights);
    if (identifier.starts_with('-')) return std::string(kAllRights);
    std::string known;
    for (const char c : letters)
        if (auto right = normal_rights({&c, 1})) known = joined(known, *right);
    return known;
}

}  // namespace

Acl parse_dovecot_acl(std::string_view text) {
    Acl out;
    for (std::string_view line : split(text, '\n')) {
        line = trim(line);
        if (line.empty() || line.starts_with('#')) continue;
        // The identifier may be quoted, since a name may have spaces.
        std::string identifier;
        std::string_view rest;
        if (line.starts_with('"')) {
            const auto end = line.find('"', 1);
            if (end == std::string_view::npos) continue;
            identifier = own_identifier(line.substr(1, end - 1));
            rest = line.substr(end + 1);
        } else {
            const auto end = std::min(line.find_first_of(" \t"), line.size());
            identifier = own_identifier(line.substr(0, end));
            rest = line.substr(end);
        }
        const auto words = split_words(rest, " \t");
        if (!is_identifier(identifier)) continue;
        const std::string rights =
            meant_rights(identifier, words.empty() ? std::string_view() : words.front());
        out[identifier] = joined(rights_in(out, identifier), rights);
    }
    return out;
}

// "rights identifier" a line
Result<std::optional<Acl>> read_acl(sys::Fs& fs, const std::string& folder) {
    Acl out;
    const std::string file = folder + "/postern.acl";
    LineLog log(fs, file, kMaxAclFile);
    const auto on_line = [&out](std::string_view line) {
        const auto parts = split_once(line, ' ');
        if (parts && is_identifier(parts->second))
            out.insert_or_assign(std::string(parts->second),
                                 meant_rights(parts->second, parts->first));
    };
    TRY_ASSIGN(const bool known, log.refresh({[](std::string_view) {}, on_line}));
    if (known) return std::optional(std::move(out));
    const auto text = read_small_file(fs, folder + "/dovecot-acl", kMaxAclFile);
    if (text) return std::optional(parse_dovecot_acl(*text));
    if (text.error().code != Errc::not_found) return Error(text.error());
    return std::optional<Acl>();
}

Result<void> edit_acl(sys::Fs& fs, const std::string& folder, const Acl& before,
                      std::string_view identifier, AclChange change, std::string_view rights) {
    const std::string file = folder + "/postern.acl";
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(fs, file + ".lock"));
    TRY_ASSIGN(const auto known, read_acl(fs, folder));
    Acl acl = known.value_or(before);
    TRY(change_acl(acl, identifier, change, rights));
    return write_acl(fs, file, acl);
}

Result<void> keep_acl(sys::Fs& fs, const std::string& folder, const Acl& acl) {
    const std::string file = folder + "/postern.acl";
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(fs, file + ".lock"));
    TRY_ASSIGN(const auto known, read_acl(fs, folder));
    return known ? Result<void>() : write_acl(fs, file, acl);
}

}  // namespace postern::mailbox
