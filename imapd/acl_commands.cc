// RFC 4314: SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS, and the rights that other commands
// need (its section 4), on one's own folders and on those that others share
// (doc/decisions/shared-folders.md).
#include <algorithm>

#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"
#include "lib/log/log.h"

namespace postern::imapd {
namespace {

mailbox::AclChange change_of(imap::AclArguments::Mode mode) {
    switch (mode) {
        case imap::AclArguments::Mode::add: return mailbox::AclChange::add;
        case imap::AclArguments::Mode::remove: return mailbox::AclChange::remove;
        case imap::AclArguments::Mode::replace: break;
    }
    return mailbox::AclChange::replace;
}

Reply no_permission() {
    return Reply::no("[NOPERM] Access control list of the mailbox forbids it");
}

bool is_missing(const Error& error) {
    return error.code == Errc::not_found || error.code == Errc::invalid;
}

}  // namespace

std::string Session::rights_of(std::string_view name) const {
    return rights_or_less(name, store_.rights(name));
}

// Where there is no such mailbox among one's own, the command says so. A list that cannot be read
// gives nobody anything, but for the owner's way to mend it. What others have and do not show gives
// nothing.
std::string Session::rights_or_less(std::string_view name, Result<std::string> rights) const {
    if (rights) return *std::move(rights);
    if (!store_.is_personal(name)) return {};
    return std::string(is_missing(rights.error()) ? mailbox::kAllRights : "la");
}

// Nothing: all of these rights are there. Otherwise the answer; RFC 4314 6: what may not be seen is
// as if it were not there.
std::optional<Reply> Session::lacks(std::string_view rights, std::string_view name) const {
    auto known = store_.rights(name);
    if (!known && is_missing(known.error()) && !store_.is_personal(name))
        return failed(known.error());
    const std::string mine = rights_or_less(name, std::move(known));
    const bool all = std::all_of(rights.begin(), rights.end(),
                                 [&](char right) { return mailbox::has_right(mine, right); });
    if (all) return std::nullopt;
    return no_permission();
}

// CREATE and RENAME make a name below another one: that one's list decides.
std::optional<Reply> Session::lacks_create(std::string_view name) const {
    if (mailbox::has_right(store_.rights_above(name), 'k')) return std::nullopt;
    return no_permission();
}

Reply Session::set_acl(const imap::AclArguments& arguments) {
    if (!store_.exists(arguments.mailbox)) return failed({Errc::not_found, "", 0});
    if (auto refusal = lacks("a", arguments.mailbox)) return *refusal;
    const auto rights = mailbox::normal_rights(arguments.rights);
    if (!rights) return Reply::bad(rights.error().what);
    auto done =
        store_.set_acl(arguments.mailbox, arguments.identifier, change_of(arguments.mode), *rights);
    if (!done && done.error().code == Errc::invalid) return Reply::bad(done.error().what);
    if (!done && done.error().code == Errc::permanent)
        return Reply::no("[LIMIT] Too many entries in the list");
    if (!done) return failed(done.error());
    refresh_rights();
    publish_shares(arguments.mailbox);
    return Reply::ok("Setacl completed.");
}

Reply Session::delete_acl(const imap::AclArguments& arguments) {
    if (!store_.exists(arguments.mailbox)) return failed({Errc::not_found, "", 0});
    if (auto refusal = lacks("a", arguments.mailbox)) return *refusal;
    auto done =
        store_.set_acl(arguments.mailbox, arguments.identifier, mailbox::AclChange::erase, "");
    if (!done && done.error().code == Errc::invalid) return Reply::bad(done.error().what);
    if (!done) return failed(done.error());
    refresh_rights();
    publish_shares(arguments.mailbox);
    return Reply::ok("Deleteacl completed.");
}

Reply Session::get_acl(const std::string& name) {
    const auto acl = store_.acl(name);
    if (!acl) return failed(acl.error());
    if (auto refusal = lacks("a", name)) return *refusal;
    std::string line = "* ACL ";
    imap::append_mailbox_name(line, shown_name(name));
    const auto add = [&line](const std::string& identifier, std::string_view rights) {
        line += ' ';
        imap::append_astring(line, identifier);
        line += ' ';
        imap::append_astring(line, mailbox::shown_rights(rights));
    };
    const std::string owner = store_.owner_of(name);  // public folders have none
    if (!owner.empty() && !acl->contains(owner)) add(owner, mailbox::kAllRights);
    for (const auto& [identifier, rights] : *acl) add(identifier, rights);
    out_.write(line + "\r\n");
    return Reply::ok("Getacl completed.");
}

// RFC 4314 3.7: what an identifier always has, and what it can be given, each by itself
Reply Session::list_rights(const imap::AclArguments& arguments) {
    if (!store_.exists(arguments.mailbox)) return failed({Errc::not_found, "", 0});
    if (auto refusal = lacks("a", arguments.mailbox)) return *refusal;
    const bool is_owner = arguments.identifier == store_.owner_of(arguments.mailbox);
    const std::string_view always = is_owner ? "la" : "";
    std::string line = "* LISTRIGHTS ";
    imap::append_mailbox_name(line, shown_name(arguments.mailbox));
    line += ' ';
    imap::append_astring(line, arguments.identifier);
    line += ' ';
    imap::append_astring(line, always);
    for (const char right : mailbox::kAllRights)
        if (!mailbox::has_right(always, right)) line += cat({" ", std::string(1, right)});
    out_.write(line + " c d\r\n");
    return Reply::ok("Listrights completed.");
}

std::string Session::my_rights_line(const std::string& name) const {
    std::string line = "* MYRIGHTS ";
    imap::append_mailbox_name(line, shown_name(name));
    return cat({line, " ", mailbox::shown_rights(rights_of(name)), "\r\n"});
}

Reply Session::my_rights(const std::string& name) {
    if (!store_.exists(name)) return failed({Errc::not_found, "", 0});
    out_.write(my_rights_line(name));
    return Reply::ok("Myrights completed.");
}

void Session::refresh_rights() {
    if (selected_) selected_->rights = rights_of(selected_->name);
}

// Whoever lost the right to read a mailbox of others has not got it selected any more.
bool Session::may_go_on() {
    if (over_ || !selected_ || store_.is_personal(selected_->name)) return !over_;
    refresh_rights();
    if (selected_->may('r')) return true;
    out_.write("* BYE [NOPERM] The selected mailbox may not be read any more\r\n");
    end("Rights in the selected mailbox were taken away");
    return false;
}

// Others look for shared folders where this note says that there are some. Who administers a folder
// of somebody else's sees but that one, and takes nothing off the note: it may say too much.
void Session::publish_shares(std::string_view name) const {
    if (options_.shares == nullptr) return;
    const std::string owner = store_.owner_of(name);
    if (owner.empty()) return;
    const bool own = store_.is_personal(name);
    const auto note = [&]() -> Result<void> {
        std::vector<std::string> readers;
        if (own) {
            TRY_ASSIGN(readers, store_.own_readers());
        } else {
            TRY_ASSIGN(const auto acl, store_.acl(name));
            readers = mailbox::readers_of(acl, owner);
        }
        return options_.shares->publish(owner, readers, !own);
    };
    const auto done = note();
    if (!done) log::warning(options_.trace, "mailbox_shared_dict: " + done.error().what);
}

}  // namespace postern::imapd
