#include "lib/mailbox/shared_dict.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/group_fs.h"
#include "lib/mailbox/line_log.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kBoxes = "shared/shared-boxes/";
constexpr std::size_t kMaxDictFile = 64 << 20;

// Dovecot's: "/" in a part of a key is "\|", "\" is "\\".
std::string escaped_part(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '/')
            out += "\\|";
        else if (c == '\\')
            out += "\\\\";
        else
            out += c;
    }
    return out;
}

std::string plain_part(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 1 < text.size();
        if (escape) ++i;
        out += escape && text[i] == '|' ? '/' : text[i];
    }
    return out;
}

std::string key_of(const std::string& identifier, const std::string& owner) {
    const std::string_view name = identifier;
    const std::string by = escaped_part(owner);
    if (name == "anyone") return cat({kBoxes, "anyone/", by});
    if (name.starts_with('$'))
        return cat({kBoxes, "group/", escaped_part(name.substr(1)), "/", by});
    return cat({kBoxes, "user/", escaped_part(name), "/", by});
}

}  // namespace

Result<SharedDict::Content> SharedDict::read() const {
    Content out;
    const auto text = read_small_file(*fs_, file_, kMaxDictFile);
    if (!text && text.error().code == Errc::not_found) return out;
    if (!text) return Error(text.error());
    const auto lines = split(*text, '\n');
    for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
        const std::string_view key = lines[i];
        const auto parts = key.starts_with(kBoxes) ? split(key.substr(kBoxes.size()), '/')
                                                   : std::vector<std::string_view>();
        if (parts.size() == 2 && parts[0] == "anyone")
            out.pairs.emplace("anyone", plain_part(parts[1]));
        else if (parts.size() == 3 && parts[0] == "user")
            out.pairs.emplace(plain_part(parts[1]), plain_part(parts[2]));
        else if (parts.size() == 3 && parts[0] == "group")
            out.pairs.emplace("$" + plain_part(parts[1]), plain_part(parts[2]));
        else
            out.others.emplace_back(key, lines[i + 1]);
    }
    return out;
}

Result<std::vector<std::string>> SharedDict::owners_for(const Person& person,
                                                        std::size_t limit) const {
    TRY_ASSIGN(const Content all, read());
    std::set<std::string> owners;
    for (const auto& [identifier, owner] : all.pairs) {
        const bool of_group =
            identifier.starts_with('$') && std::find(person.groups.begin(), person.groups.end(),
                                                     identifier.substr(1)) != person.groups.end();
        if (identifier != person.user && identifier != "anyone" && !of_group) continue;
        if (owner != person.user && owners.size() < limit) owners.insert(owner);
    }
    return std::vector<std::string>(owners.begin(), owners.end());
}

Result<void> SharedDict::publish(const std::string& owner,
                                 const std::vector<std::string>& identifiers, bool only_add) const {
    // The file is for the users whom its directory is for.
    const std::string folder = file_.substr(0, file_.rfind('/'));
    TRY_ASSIGN(const auto info, fs_->info(folder));
    GroupFs fs(*fs_, info.mode);
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(fs, file_ + ".postern-lock"));
    TRY_ASSIGN(Content all, read());
    const std::set<Pair> before = all.pairs;
    if (!only_add) std::erase_if(all.pairs, [&](const Pair& pair) { return pair.second == owner; });
    for (const std::string& identifier : identifiers) all.pairs.emplace(identifier, owner);
    if (all.pairs == before) return {};
    std::string content;
    for (const auto& [identifier, by] : all.pairs) content += key_of(identifier, by) + "\n1\n";
    for (const auto& [key, value] : all.others) content += cat({key, "\n", value, "\n"});
    return LineLog(fs, file_).replace(content);
}

}  // namespace postern::mailbox
