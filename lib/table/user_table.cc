#include "lib/table/user_table.h"

#include <grp.h>
#include <pwd.h>

#include <array>
#include <vector>

#include "lib/base/strings.h"
#include "lib/sys/error.h"

namespace postern::table {
namespace {

// getpwnam_r reports an unknown name in several ways; see its manual.
bool means_unknown(int error) {
    return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

Lookup<std::string> passwd_entry(const std::string& name) {
    std::vector<char> buffer(16384);
    struct passwd entry {};
    struct passwd* found = nullptr;
    const int error = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr && means_unknown(error)) return NotFound{};
    if (found == nullptr) return sys::system_error("unix:passwd.byname", error);
    return cat({entry.pw_name, ":x:", std::to_string(entry.pw_uid), ":",
                std::to_string(entry.pw_gid), ":", entry.pw_gecos, ":", entry.pw_dir, ":",
                entry.pw_shell});
}

Lookup<std::string> group_entry(const std::string& name) {
    std::vector<char> buffer(65536);
    struct group entry {};
    struct group* found = nullptr;
    const int error = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr && means_unknown(error)) return NotFound{};
    if (found == nullptr) return sys::system_error("unix:group.byname", error);
    std::vector<std::string> members;
    for (char** member = entry.gr_mem; *member != nullptr; ++member) members.emplace_back(*member);
    return cat({entry.gr_name, ":x:", std::to_string(entry.gr_gid), ":", join(members, ",")});
}

}  // namespace

Result<std::unique_ptr<Table>> UnixTable::open(std::string_view name, Fold fold) {
    if (name == "passwd.byname")
        return std::unique_ptr<Table>(std::make_unique<UnixTable>(Kind::passwd, fold));
    if (name == "group.byname")
        return std::unique_ptr<Table>(std::make_unique<UnixTable>(Kind::group, fold));
    return Error{Errc::invalid, cat({"unknown table: unix:", name})};
}

Lookup<std::string> UnixTable::lookup(std::string_view key) {
    if (key.empty() || key.size() > 256 || key.find('\0') != key.npos) return NotFound{};
    const std::string name = fold_ == Fold::lower ? to_lower(key) : std::string(key);
    return kind_ == Kind::passwd ? passwd_entry(name) : group_entry(name);
}

Result<std::unique_ptr<Table>> PasswdFileTable::open(std::string_view path) {
    std::unique_ptr<PasswdFileTable> table(new PasswdFileTable(path));
    TRY(table->refresh());
    return std::unique_ptr<Table>(std::move(table));
}

Result<void> PasswdFileTable::refresh() {
    auto text = file_.read_if_changed();
    // Before the first "postern user add" there are no mail users: that is no failure. A file that
    // was there is being replaced.
    if (!text && text.error().code == Errc::not_found && !loaded_) return {};
    TRY_ASSIGN(const auto changed, std::move(text));
    if (!changed) return {};
    users_.clear();
    for (const auto line : split(*changed, '\n')) {
        if (line.empty() || line.front() == '#') continue;
        const auto user = split_once(trim_right(line), ':');
        if (!user || user->first.empty()) continue;
        const auto rest = split_once(user->second, ':');
        const auto fields = rest ? rest->second : std::string_view{};
        users_.insert_or_assign(to_lower(user->first), cat({"x:", fields}));
    }
    loaded_ = true;
    return {};
}

Lookup<std::string> PasswdFileTable::lookup(std::string_view key) {
    if (auto ready = refresh(); !ready) return std::move(ready).error();
    const auto at = users_.find(to_lower(key));
    if (at == users_.end()) return NotFound{};
    return at->second;
}

Result<void> PasswdFileTable::each(const Visitor& visit) {
    TRY(refresh());
    for (const auto& [user, fields] : users_) visit(user, fields);
    return {};
}

}  // namespace postern::table
