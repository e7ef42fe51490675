// RFC 4314: SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS, and the rights that other commands
// need (its section 4). The session is always the owner's, as a process sees its own user's home
// only; lists may name others, whom they will concern where folders are shared.
#include <algorithm>

#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"

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

// The name of the mailbox above, or "".
std::string_view parent_of(std::string_view name) {
    const auto at = name.rfind(mailbox::kSeparator);
    return at == std::string_view::npos ? std::string_view() : name.substr(0, at);
}

}  // namespace

std::string Session::rights_of(std::string_view name) const {
    const auto acl = store_.acl(name);
    // Where there is no such mailbox, the command says so. A list that cannot be read gives nobody
    // anything, but for the owner's way to mend it.
    const bool missing =
        !acl && (acl.error().code == Errc::not_found || acl.error().code == Errc::invalid);
    if (missing) return std::string(mailbox::kAllRights);
    if (!acl) return "la";
    return mailbox::rights_of_owner(*acl, options_.user);
}

// Nothing: all of these rights are there. Otherwise the answer.
std::optional<Reply> Session::lacks(std::string_view rights, std::string_view name) const {
    const std::string mine = rights_of(name);
    const bool all = std::all_of(rights.begin(), rights.end(),
                                 [&](char right) { return mailbox::has_right(mine, right); });
    if (all) return std::nullopt;
    return Reply::no("[NOPERM] Access control list of the mailbox forbids it");
}

// CREATE and RENAME make a name below another one: that one's list decides.
std::optional<Reply> Session::lacks_create(std::string_view name) const {
    const std::string_view parent = parent_of(name);
    if (parent.empty() || !store_.exists(parent)) return std::nullopt;
    return lacks("k", parent);
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
    if (!acl->contains(options_.user)) add(options_.user, mailbox::kAllRights);
    for (const auto& [identifier, rights] : *acl) add(identifier, rights);
    out_.write(line + "\r\n");
    return Reply::ok("Getacl completed.");
}

// RFC 4314 3.7: what an identifier always has, and what it can be given, each by itself
Reply Session::list_rights(const imap::AclArguments& arguments) {
    if (!store_.exists(arguments.mailbox)) return failed({Errc::not_found, "", 0});
    if (auto refusal = lacks("a", arguments.mailbox)) return *refusal;
    const std::string_view always = arguments.identifier == options_.user ? "la" : "";
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

}  // namespace postern::imapd
