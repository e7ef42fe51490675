// The commands that work on names of mailboxes: RFC 3501 6.3.3 to 6.3.10.
#include <algorithm>

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

std::string value_of(imap::StatusItem item, const mailbox::MailboxStatus& status,
                     std::uint64_t limit) {
    using Item = imap::StatusItem;
    switch (item) {
        case Item::messages: return std::to_string(status.messages);
        case Item::recent: return std::to_string(status.recent);
        case Item::uid_next: return std::to_string(status.next_uid);
        case Item::uid_validity: return std::to_string(status.uid_validity);
        case Item::unseen: return std::to_string(status.unseen);
        case Item::deleted: return std::to_string(status.deleted);
        case Item::deleted_storage: return std::to_string(status.deleted_size);
        case Item::size: return std::to_string(status.size);
        case Item::highest_modseq: return std::to_string(status.highest_modseq);
        case Item::append_limit: return limit == 0 ? "NIL" : std::to_string(limit);  // RFC 7889 4
        case Item::mailbox_id: return cat({"(", status.id, ")"});
    }
    return "";
}

bool has(const std::vector<imap::StatusItem>& items, imap::StatusItem item) {
    return std::find(items.begin(), items.end(), item) != items.end();
}

}  // namespace

Reply Session::create(const imap::CreateArguments& arguments) {
    if (!imap::decode_mailbox_name(arguments.mailbox)) return not_utf7();
    if (auto refusal = lacks_create(arguments.mailbox)) return *refusal;
    std::vector<std::string> uses;
    for (const std::string& attribute : arguments.special_use) {
        const auto use = special_use_of(attribute);
        if (!use) return Reply::no("[USEATTR] A mailbox can't be made for that use");
        uses.push_back(*use);
    }
    if (auto done = store_.create(arguments.mailbox); !done) {
        return done.error().code == Errc::permanent ? already_exists() : failed(done.error());
    }
    if (!uses.empty()) {
        // RFC 6154 3: the mailbox is made with its use or not at all
        if (auto done = store_.set_special_use(arguments.mailbox, uses); !done) {
            (void)store_.remove(arguments.mailbox).has_value();
            return failed(done.error());
        }
    }
    const auto box = store_.mailbox(arguments.mailbox);
    const auto status = box ? box->status() : Result<mailbox::MailboxStatus>(box.error());
    if (!status) return Reply::ok("Create completed.");  // gone again already
    return Reply::ok(cat({"[MAILBOXID (", status->id, ")] Create completed."}));  // RFC 8474 4.1
}

Reply Session::remove(const std::string& name) {
    if (iequals(name, "INBOX")) return Reply::no("[CANNOT] INBOX can't be deleted");
    if (auto refusal = lacks("x", name)) return *refusal;
    if (auto done = store_.remove(name); !done) {
        return done.error().code == Errc::permanent ? Reply::no("[CANNOT] Mailbox can't be deleted")
                                                    : failed(done.error());
    }
    if (auto canonical = mailbox::Store::canonical(name);
        canonical && selected_ && selected_->name == *canonical) {
        selected_.reset();
    }
    publish_shares("INBOX");
    return Reply::ok("Delete completed.");
}

Reply Session::rename(const imap::RenameArguments& arguments) {
    if (!imap::decode_mailbox_name(arguments.to)) return not_utf7();
    // Of others' trees all that moves is asked about, below a level that is no mailbox, too.
    if (store_.is_personal(arguments.from))
        if (auto refusal = lacks("x", arguments.from)) return *refusal;
    if (auto refusal = lacks_create(arguments.to)) return *refusal;
    const auto from = mailbox::Store::canonical(arguments.from);
    const auto to = mailbox::Store::canonical(arguments.to);
    if (from && to && *from != "INBOX" && *from != *to && mailbox::is_within(*to, *from))
        return Reply::no("[CANNOT] A mailbox can't be moved below itself");
    if (auto done = store_.rename(arguments.from, arguments.to); !done) {
        return done.error().code == Errc::permanent ? already_exists() : failed(done.error());
    }
    if (from && to && *from != "INBOX") follow_rename(*from, *to);
    return Reply::ok("Rename completed.");
}

// The folder that is selected, or one above it, has another name now: the session goes on in it.
void Session::follow_rename(const std::string& from, const std::string& to) {
    if (!selected_ || !mailbox::is_within(selected_->name, from)) return;
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

// RFC 3501 6.3.8: an empty pattern asks for the separator and the root's name
Reply Session::list(const imap::ListArguments& arguments) {
    if (!arguments.extended && arguments.patterns.front().empty()) {
        out_.write(list_line("LIST", names_.separator, {"", "(\\Noselect)", {}, false, {}}));
        return Reply::ok("List completed.");
    }
    Listing listing;
    listing.names = names_;
    listing.utf8 = enabled_.utf8_names();
    auto folders = store_.folders();
    if (!folders) return failed(folders.error());
    listing.folders = *std::move(folders);
    if (arguments.return_subscribed) {
        auto names = store_.subscriptions();
        if (!names) return failed(names.error());
        listing.subscribed = *std::move(names);
    }
    auto uses = store_.special_uses();
    if (!uses) return failed(uses.error());
    listing.special_uses = *std::move(uses);
    for (const Listed& listed : list_folders(listing, arguments)) {
        out_.write(list_line("LIST", names_.separator, listed));
        if (arguments.metadata && listed.selectable && !lacks_notes(listed.stored))
            write_listed_metadata(listed.stored, *arguments.metadata);
        if (arguments.return_my_rights && listed.selectable)  // RFC 8440
            out_.write(my_rights_line(listed.stored));
        if (arguments.status.empty() || !listed.selectable || lacks("r", listed.stored)) continue;
        // RFC 5819 2: none for a mailbox that cannot be looked at
        if (auto line = status_line(listed.stored, arguments.status)) out_.write(*line);
    }
    return Reply::ok("List completed.");
}

Reply Session::lsub(const imap::LsubArguments& arguments) {
    auto names = store_.subscriptions();
    if (!names) return failed(names.error());
    const Listing listing{{}, *std::move(names), {}, names_, enabled_.utf8_names()};
    for (const Listed& listed :
         list_subscriptions(listing, arguments.reference, arguments.pattern)) {
        out_.write(list_line("LSUB", names_.separator, listed));
    }
    return Reply::ok("Lsub completed.");
}

// "* STATUS box (MESSAGES 2)"; the name as it is stored.
Result<std::string> Session::status_line(const std::string& name,
                                         const std::vector<imap::StatusItem>& items) {
    TRY_ASSIGN(const mailbox::Mailbox box, store_.mailbox(name));
    const bool detailed = has(items, imap::StatusItem::size) ||
                          has(items, imap::StatusItem::deleted) ||
                          has(items, imap::StatusItem::deleted_storage);
    TRY_ASSIGN(const mailbox::MailboxStatus status, box.status(detailed));
    std::string line = "* STATUS ";
    imap::append_mailbox_name(line, shown_name(name));
    std::vector<std::string> words;
    for (const imap::StatusItem item : items) {
        words.push_back(
            cat({imap::name_of(item), " ", value_of(item, status, options_.max_message)}));
    }
    line += ' ';
    imap::append_list(line, words);
    return line + "\r\n";
}

Reply Session::status(const imap::StatusArguments& arguments) {
    if (has(arguments.items, imap::StatusItem::highest_modseq)) enable_condstore();
    if (auto refusal = lacks("r", arguments.mailbox)) return *refusal;
    auto line = status_line(arguments.mailbox, arguments.items);
    if (!line) return failed(line.error());
    out_.write(*line);
    return Reply::ok("Status completed.");
}

}  // namespace postern::imapd
