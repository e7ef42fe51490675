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
    place.gid = getegid();
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
    return cat({std::to_string(uid), ":", std::to_string(gid), ":", user, ":", folder});
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
    account.place = {"", answer->uid, answer->gid, {}};
    account.maildir = answer->mailbox;
    be_ourselves(account.place);
    account.place.folder = confinement(answer->home, account.place.uid);
    if (!below(account.maildir, account.place.folder)) {
        const auto slash = account.maildir.rfind('/', account.maildir.size() - 2);
        account.place.folder = slash == 0 ? account.maildir : account.maildir.substr(0, slash);
    }
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
    account.place = {user->name, user->uid, user->gid, user->home};
    if (user->uid == 0) return account;  // find() refuses it
    if (!options_.unsupported.empty()) {
        return not_now(
            cat({options_.unsupported, " is not supported yet: remove it from main.cf"}));
    }
    if (options_.home_mailbox.empty() || options_.home_mailbox.back() != '/') {
        return not_now(
            "mailboxes in mbox format are not supported yet: set home_mailbox = Maildir/");
    }
    account.maildir =
        cat({user->home, "/", options_.home_mailbox.substr(0, options_.home_mailbox.size() - 1)});
    return account;
}

}  // namespace postern::local
