// The commands that work on names of mailboxes: RFC 3501 6.3.3 to 6.3.10.
#include "imapd/listing.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/mailbox_name.h"
#include "lib/imap/response.h"

namespace postern::imapd {
namespace {

Reply already_exists() { return Reply::no("[ALREADYEXISTS] Mailbox already exists"); }

// RFC 3501 5.1.3: new names must be what every client can read back.
Reply not_utf7() { return Reply::no("[CANNOT] Mailbox name is not valid modified UTF-7"); }

std::string_view name_of(imap::StatusItem item) {
    switch (item) {
        case imap::StatusItem::messages: return "MESSAGES";
        case imap::StatusItem::recent: return "RECENT";
        case imap::StatusItem::uid_next: return "UIDNEXT";
        case imap::StatusItem::uid_validity: return "UIDVALIDITY";
        case imap::StatusItem::unseen: break;
    }
    return "UNSEEN";
}

std::uint32_t value_of(imap::StatusItem item, const mailbox::MailboxStatus& status) {
    switch (item) {
        case imap::StatusItem::messages: return status.messages;
        case imap::StatusItem::recent: return status.recent;
        case imap::StatusItem::uid_next: return status.next_uid;
        case imap::StatusItem::uid_validity: return status.uid_validity;
        case imap::StatusItem::unseen: break;
    }
    return status.unseen;
}

bool is_within(std::string_view name, std::string_view parent) {
    return name == parent || (name.starts_with(parent) &&
                              name.substr(parent.size()).starts_with(mailbox::kSeparator));
}

}  // namespace

Reply Session::create(const std::string& name) {
    if (!imap::decode_mailbox_name(name)) return not_utf7();
    if (auto done = store_.create(name); !done) {
        return done.error().code == Errc::permanent ? already_exists() : failed(done.error());
    }
    return Reply::ok("Create completed.");
}

Reply Session::remove(const std::string& name) {
    if (iequals(name, "INBOX")) return Reply::no("[CANNOT] INBOX can't be deleted");
    if (auto done = store_.remove(name); !done) {
        return done.error().code == Errc::permanent ? Reply::no("[CANNOT] Mailbox can't be deleted")
                                                    : failed(done.error());
    }
    if (auto canonical = mailbox::Store::canonical(name);
        canonical && selected_ && selected_->name == *canonical) {
        selected_.reset();
    }
    return Reply::ok("Delete completed.");
}

Reply Session::rename(const imap::RenameArguments& arguments) {
    if (!imap::decode_mailbox_name(arguments.to)) return not_utf7();
    if (auto done = store_.rename(arguments.from, arguments.to); !done) {
        return done.error().code == Errc::permanent ? already_exists() : failed(done.error());
    }
    const auto from = mailbox::Store::canonical(arguments.from);
    const auto to = mailbox::Store::canonical(arguments.to);
    if (from && to && *from != "INBOX") follow_rename(*from, *to);
    return Reply::ok("Rename completed.");
}

// The folder that is selected, or one above it, has another name now: the session goes on in it.
void Session::follow_rename(const std::string& from, const std::string& to) {
    if (!selected_ || !is_within(selected_->name, from)) return;
    const std::string name = to + selected_->name.substr(from.size());
    auto box = store_.mailbox(name);
    if (!box) return;  // gone again already: the next look at the folder says so
    selected_->name = name;
    selected_->mailbox = *std::move(box);
    selected_->view->moved_to(selected_->mailbox);
}

Reply Session::subscribe(const std::string& name) {
    if (auto done = store_.subscribe(name); !done) return failed(done.error());
    return Reply::ok("Subscribe completed.");
}

Reply Session::unsubscribe(const std::string& name) {
    auto done = store_.unsubscribe(name);
    // A name that was not subscribed is in the state that the client wants.
    if (!done && done.error().code != Errc::not_found) return failed(done.error());
    return Reply::ok("Unsubscribe completed.");
}

Reply Session::list(const imap::ListArguments& arguments) {
    if (arguments.pattern.empty()) {  // RFC 3501 6.3.8: asks for the separator and the root's name
        out_.write(list_line("LIST", {"", "(\\Noselect)"}));
        return Reply::ok("List completed.");
    }
    auto folders = store_.folders();
    if (!folders) return failed(folders.error());
    for (const Listed& listed : list_folders(*folders, arguments.reference, arguments.pattern)) {
        out_.write(list_line("LIST", listed));
    }
    return Reply::ok("List completed.");
}

Reply Session::lsub(const imap::ListArguments& arguments) {
    auto names = store_.subscriptions();
    if (!names) return failed(names.error());
    for (const Listed& listed :
         list_subscriptions(*names, arguments.reference, arguments.pattern)) {
        out_.write(list_line("LSUB", listed));
    }
    return Reply::ok("Lsub completed.");
}

Reply Session::status(const imap::StatusArguments& arguments) {
    auto box = store_.mailbox(arguments.mailbox);
    if (!box) return failed(box.error());
    auto status = box->status();
    if (!status) return failed(status.error());
    std::string line = "* STATUS ";
    imap::append_astring(line, arguments.mailbox);
    std::vector<std::string> words;
    for (const imap::StatusItem item : arguments.items) {
        words.push_back(cat({name_of(item), " ", std::to_string(value_of(item, *status))}));
    }
    line += ' ';
    imap::append_list(line, words);
    out_.write(line + "\r\n");
    return Reply::ok("Status completed.");
}

}  // namespace postern::imapd
