#include "local/accounts.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/strings.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/auth.h"
#include "lib/log/log.h"
#include "lib/sys/users.h"

namespace postern::local {
namespace {

constexpr Millis kAuthWait{10'000};
constexpr Seconds kCacheTime{2};
constexpr std::size_t kCacheSize = 1000;

// As an ordinary user everybody is that user.
void be_ourselves(Place& place) {
    if (sys::is_root()) return;
    place.user.clear();
    place.uid = geteuid();
    place.gid = place.own_gid = getegid();
}

// Mail users of one owner live next to each other (/var/vmail/a, /var/vmail/b): where the folder
// above the home is the owner's too, one process serves them all, and their deliveries share a
// sync.
std::string confinement(const std::string& home, uid_t uid) {
    const auto slash = home.rfind('/');
    if (slash == std::string::npos || slash == 0) return home;
    const std::string above = home.substr(0, slash);
    struct stat st {};
    return stat(above.c_str(), &st) == 0 && st.st_uid == uid && uid != 0 ? above : home;
}

bool below(std::string_view path, std::string_view folder) {
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

Error not_now(const std::string& warning) {
    log::warning("", warning);
    return Error{Errc::temporary, "mail system configuration error"};
}

}  // namespace

std::string Place::name() const {
    return cat({std::to_string(uid), ":", std::to_string(gid), ":", user, ":", folder, ":", also});
}

Lookup<Account> Accounts::find(const std::string& user) {
    const auto now = SystemClock::instance().steady();
    if (const auto at = cache_.find(user); at != cache_.end() && now < at->second.until)
        return at->second.account;
    auto account = mail_user(user);
    if (account.not_found()) account = system_user(user);
    if (!account.found()) return account;
    if (account->place.uid == 0) {
        return not_now(cat({"user ", user, " is root: alias it to somebody who reads mail"}));
    }
    be_ourselves(account->place);
    if (cache_.size() >= kCacheSize) cache_.clear();
    cache_.insert_or_assign(user, Entry{*account, now + kCacheTime});
    return account;
}

Lookup<Account> Accounts::mail_user(const std::string& user) {
    if (user.size() > ipc::kMaxUser) return NotFound{};
    auto answer =
        ipc::call<ipc::UserAnswer>(auth_, ipc::UserRequest{user}, Deadline::in(kAuthWait));
    if (!answer) {
        log::warning("", answer.error().what);
        return Error{Errc::temporary, "user lookup failed"};
    }
    if (answer->outcome == ipc::UserOutcome::unknown) return NotFound{};
    if (answer->outcome == ipc::UserOutcome::temporary)
        return Error{Errc::temporary, "user lookup failed"};
    if (!answer->home.starts_with('/') || !answer->mailbox.starts_with('/')) {
        return not_now(cat({"user ", user, ": auth gives no home or mailbox"}));
    }
    Account account;
    account.place = {"", answer->uid, answer->gid, answer->gid, {}, {}};
    account.user = user;
    account.home = answer->home;
    account.quota_rule = answer->quota_rule;
    be_ourselves(account.place);
    account.place.folder = confinement(answer->home, account.place.uid);
    std::string maildir = answer->mailbox;
    while (maildir.size() > 1 && maildir.back() == '/') maildir.pop_back();
    if (!below(maildir, account.place.folder)) {
        const auto slash = maildir.rfind('/');
        account.place.folder = slash == 0 ? maildir : maildir.substr(0, slash);
    }
    account.mailbox = maildir + "/";
    if (answer->inbox_file.empty()) return account;
    if (auto done = into_file(account, answer->inbox_file); !done) return std::move(done).error();
    return account;
}

Lookup<Account> Accounts::system_user(const std::string& name) {
    auto user = sys::find_user(name);
    if (user.failed()) {
        log::warning("", user.error().what);
        return Error{Errc::temporary, "user lookup failed"};
    }
    if (user.not_found()) return NotFound{};
    Account account;
    account.place = {user->name, user->uid, user->gid, user->gid, user->home, {}};
    account.user = user->name;
    account.home = user->home;
    account.shell = user->shell;
    account.is_system = true;
    account.quota_rule = options_.quota_rule;
    account.command = options_.mailbox_command;
    if (user->uid == 0) return account;  // find() refuses it
    struct stat st {};
    if (options_.require_home && (stat(user->home.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)))
        return not_now(
            cat({"home directory ", user->home, " of user ", user->name, " is not available"}));
    if (!options_.home_mailbox.empty()) {
        account.mailbox = cat({user->home, "/", options_.home_mailbox});
    } else if (auto done = into_spool(account); !done) {
        return std::move(done).error();
    }
    return account;
}

// Whoever may write to the spool directory may lock mailboxes there: everybody, or its group.
Result<void> Accounts::into_spool(Account& account) const {
    std::string folder = options_.mail_spool_directory;
    const bool maildirs = folder.ends_with('/');
    while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
    account.mailbox = cat({folder, "/", account.user, maildirs ? "/" : ""});
    account.place.also = folder;
    if (!account.command.empty() || !sys::is_root()) return {};
    return may_lock_in(folder, "mail_spool_directory", account);
}

// A mail user's INBOX that is an mbox: mailbox_inbox_file.
Result<void> Accounts::into_file(Account& account, const std::string& file) {
    const auto slash = file.rfind('/');
    if (!file.starts_with('/') || slash == 0 || slash + 1 == file.size())
        return not_now(cat({"user ", account.user, ": mailbox_inbox_file ", file,
                            " is not the absolute path of a file"}));
    account.mailbox = file;
    account.place.also = file.substr(0, slash);
    account.quota_rule.clear();  // mailbox_size_limit is the limit of files
    if (below(file, account.place.folder) || !sys::is_root()) return {};
    return may_lock_in(account.place.also, "mailbox_inbox_file", account);
}

Result<void> Accounts::may_lock_in(const std::string& folder, std::string_view parameter,
                                   Account& account) {
    struct stat st {};
    if (stat(folder.c_str(), &st) != 0 || !S_ISDIR(st.st_mode))
        return not_now(cat({parameter, ": ", folder, " is not a folder"}));
    if ((st.st_mode & S_IWOTH) != 0) return {};
    if ((st.st_mode & S_IWGRP) == 0 || st.st_gid == 0) {
        return not_now(
            cat({parameter, " ", folder,
                 ": neither its group (other than root's) nor everybody may write there"}));
    }
    account.place.gid = st.st_gid;
    return {};
}

}  // namespace postern::local
