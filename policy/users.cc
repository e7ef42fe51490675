#include "policy/users.h"

#include "lib/base/strings.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/auth.h"
#include "lib/log/log.h"
#include "lib/sys/fs.h"

namespace postern::policy {
namespace {

constexpr Millis kAuthWait{10'000};
constexpr Millis kQuotaWait{5'000};

}  // namespace

MailUsers::MailUsers(std::string passwd_file, std::string auth_socket)
    : passwd_file_(std::move(passwd_file)), auth_socket_(std::move(auth_socket)) {
    // Without a file only auth can tell whether there was one.
    if (!sys::RealFs::instance().info(passwd_file_)) return;
    auto opened = table::PasswdFileTable::open(passwd_file_);
    if (opened) table_ = std::move(opened).value();
}

Lookup<bool> MailUsers::known(std::string_view user) {
    if (table_) {
        auto found = table_->lookup(user);
        if (found.found()) return true;
        if (found.not_found()) return NotFound{};
    }
    return ask_auth(user);
}

// A delivery agent that does not answer will say what it thinks when the message comes.
ipc::QuotaAnswer MailUsers::room(const std::string& agent, const std::string& recipient,
                                 std::uint64_t size) {
    if (recipient.size() > ipc::kMaxAddress) return {};
    auto answer = ipc::call<ipc::QuotaAnswer>(
        "private/" + agent, ipc::QuotaQuestion{recipient, size}, Deadline::in(kQuotaWait));
    if (answer) return *std::move(answer);
    log::warning("", cat({"quota of ", printable(recipient, 100), ": ", answer.error().what}));
    return {};
}

Lookup<bool> MailUsers::ask_auth(std::string_view user) {
    if (user.size() > ipc::kMaxUser) return NotFound{};
    auto answer = ipc::call<ipc::UserAnswer>(auth_socket_, ipc::UserRequest{std::string(user)},
                                             Deadline::in(kAuthWait));
    if (!answer) return std::move(answer).error();
    switch (answer->outcome) {
        case ipc::UserOutcome::known: return true;
        case ipc::UserOutcome::unknown: return NotFound{};
        case ipc::UserOutcome::temporary: break;
    }
    return Error{Errc::temporary, cat({"auth cannot tell about user ", user})};
}

}  // namespace postern::policy
