// NOTIFY, RFC 5465: the client hears of mailboxes at any time, also of those that are not selected,
// also without IDLE. While it says nothing, the session waits for it and for all watched folders.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>

#include "imapd/fetch.h"
#include "imapd/listing.h"
#include "imapd/notify.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"
#include "lib/log/log.h"

namespace postern::imapd {
namespace {

constexpr std::string_view kSupported =
    "[BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange "
    "MailboxMetadataChange ServerMetadataChange)] ";

// RFC 5464 4.4.2: which entries are not as they were
std::string changed_entries(const mailbox::Metadata& before, const mailbox::Metadata& now) {
    std::string out;
    const auto add = [&out](const std::string& entry) {
        out += ' ';
        imap::append_astring(out, entry);
    };
    for (const auto& [entry, value] : now)
        if (const auto old = before.find(entry); old == before.end() || old->second != value)
            add(entry);
    for (const auto& [entry, value] : before)
        if (!now.contains(entry)) add(entry);
    return out;
}

}  // namespace

Reply Session::notify(const imap::NotifyArguments& arguments) {
    if (arguments.has_unknown())
        return Reply::no(cat({kSupported, "Some events are not supported"}));
    notifications_.reset();  // RFC 5465 3.1: each NOTIFY replaces the one before
    if (arguments.groups.empty()) return Reply::ok("NOTIFY completed.");
    auto watch = mailbox::FolderWatch::make();
    if (!watch) return too_many_watches(watch.error());
    notifications_ = std::make_unique<Notifications>(*std::move(watch), arguments.groups);
    notifications_->is_personal = [this](const std::string& name) {
        return store_.is_personal(name);
    };
    notifications_->full_name = [this](const std::string& name) { return names_.full(name); };
    auto done = watch_folders(arguments.status);
    if (!done) {
        notifications_.reset();
        return too_many_watches(done.error());
    }
    tell_inaccessible();
    return Reply::ok("NOTIFY completed.");
}

// RFC 5465 3.1: what the client may list, and not hear of
void Session::tell_inaccessible() {
    for (const auto& [name, folder] : notifications_->folders)
        if (folder.selectable && notifications_->events_of(name).of_messages() && lacks("r", name))
            out_.write(list_line("LIST", names_.separator,
                                 {shown_name(name), "(\\NoAccess)", {}, true, name}));
}

Reply Session::too_many_watches(const Error& error) const {
    log::info(options_.trace, "NOTIFY: " + error.what);
    return Reply::no("[NOTIFICATIONOVERFLOW] Too many mailboxes to watch");
}

// Learns which folders there are and watches those that the client wants to hear of. `tell`: how
// each of them is.
Result<void> Session::watch_folders(bool tell) {
    Notifications& all = *notifications_;
    TRY_ASSIGN(const auto names, store_.subscriptions());
    all.subscribed = {names.begin(), names.end()};
    TRY_ASSIGN(Notifications::Folders folders, known_folders());
    const Notifications::Folders before = std::exchange(all.folders, std::move(folders));
    // First: a renamed folder is the same directory, for which there is one watch.
    for (const auto& [name, folder] : before)
        if (!all.has(name)) all.forget(name);
    for (const auto& [name, folder] : all.folders)
        if (folder.selectable) TRY(watch_folder(name, tell));
    return watch_roots();
}

Result<Notifications::Folders> Session::known_folders() const {
    const auto steady = store_.hold_names();
    TRY_ASSIGN(const auto folders, store_.folders());
    Notifications::Folders out;
    for (const mailbox::Folder& folder : folders) {
        auto& known = out[folder.name];
        known = {folder.selectable, folder.has_children, 0};
        if (!folder.selectable) continue;
        if (const auto box = store_.mailbox(folder.name))
            known.uid_validity = box->known_uid_validity();
    }
    return out;
}

// They say which folders and subscriptions there are; one's own also what is noted of the server.
Result<void> Session::watch_roots() {
    Notifications& all = *notifications_;
    if (all.wants_server_metadata() && !all.metadata.contains(""))
        if (auto entries = visible_metadata("")) all.metadata[""] = *std::move(entries);
    TRY(watch_private_part());
    if (!all.follows_names()) return {};
    if (!all.watch.has("INBOX")) TRY(all.watch.add("INBOX", store_.root()));
    for (const mailbox::Mount& mount : store_.mounts())
        if (mount.owner.empty() && !all.watch.has(mount.prefix))
            TRY(all.watch.add(mount.prefix, mount.root, mailbox::FolderWatch::What::directory));
    return {};
}

// What another session of the user's changes of what is his own of folders of others.
Result<void> Session::watch_private_part() {
    if (store_.mounts().empty()) return {};
    const auto folder = store_.make_private_folder();
    if (folder) return notifications_->watch.add_files(*folder);
    log::debug(options_.trace, folder.error().what);  // as while the disk is full
    return {};
}

// Which folders of others it is about that happened there.
void Session::add_privately_changed(const std::set<std::string>& files,
                                    std::set<std::string>& changed) {
    for (auto& [name, folder] : notifications_->folders) {
        if (!folder.selectable || store_.is_personal(name)) continue;
        if (folder.uid_validity == 0)  // nobody had looked into it
            if (const auto box = store_.mailbox(name))
                folder.uid_validity = box->known_uid_validity();
        for (const std::string& file : files)
            if (store_.is_private_file_of(name, folder.uid_validity, file)) changed.insert(name);
    }
}

// One that is gone again is none. One of the user's that is not wholly there yet is looked for with
// the next thing that happens in its directory, unless all has happened before that was watched.
Result<void> Session::watch_folder(const std::string& name, bool tell) {
    const auto unless_gone = [](Result<void> done) {
        return !done && done.error().code == Errc::not_found ? Result<void>{} : std::move(done);
    };
    auto watched = watch_existing_folder(name, tell);
    if (watched || watched.error().code != Errc::not_found || !store_.is_personal(name))
        return unless_gone(std::move(watched));
    auto begun = notifications_->watch.add(name, cat({store_.root(), "/.", name}));
    if (!begun) return unless_gone(std::move(begun).error());
    return unless_gone(watch_existing_folder(name, tell));
}

Result<void> Session::watch_existing_folder(const std::string& name, bool tell) {
    Notifications& all = *notifications_;
    const bool is_selected = selected_ && selected_->name == name;
    const imap::NotifyEvents events = all.events_of(name);
    if (!events.of_messages()) all.known.erase(name);  // subscribed no more
    if (!events.mailbox_metadata_change) all.metadata.erase(name);
    if (!events.of_messages() && !events.mailbox_metadata_change && !is_selected) return {};
    if (lacks("r", name)) return {};  // RFC 5465 5
    TRY_ASSIGN(const mailbox::Mailbox box, store_.mailbox(name));
    TRY_ASSIGN(const bool is_new, all.watch.add(name, box.path()));
    if (events.mailbox_metadata_change && !all.metadata.contains(name))
        if (auto entries = visible_metadata(name)) all.metadata[name] = *std::move(entries);
    if (!events.of_messages() || is_selected) return {};
    if (all.known.contains(name)) return is_new ? tell_mailbox(name) : Result<void>{};
    TRY_ASSIGN(const auto status, box.status());
    all.known[name] = status;
    // RFC 5465 3.1: where there are mod-sequences, those who ask for flags start from one
    if (tell) out_.write(notified_status(name, status, enabled_.condstore || events.flag_change));
    return {};
}

// RFC 5465 5.1: "* STATUS Lists (MESSAGES 8 UIDNEXT 10 UIDVALIDITY 1 UNSEEN 2)"
std::string Session::notified_status(const std::string& name, const mailbox::MailboxStatus& status,
                                     bool with_modseq) const {
    std::string line = "* STATUS ";
    imap::append_mailbox_name(line, shown_name(name));
    line += cat({" (MESSAGES ", std::to_string(status.messages), " UIDNEXT ",
                 std::to_string(status.next_uid), " UIDVALIDITY ",
                 std::to_string(status.uid_validity), " UNSEEN ", std::to_string(status.unseen)});
    if (with_modseq) line += " HIGHESTMODSEQ " + std::to_string(status.highest_modseq);
    return line + ")\r\n";
}

// Tells what the watch has seen. The selected mailbox has its own rules.
void Session::tell_notifications() {
    auto [changed, tree, files] = notifications_->watch.take();
    if (!files.empty()) add_privately_changed(files, changed);
    if (tree && notifications_->follows_names()) follow_names({});
    if (notifications_ && tree) tell_metadata("");
    for (const std::string& name : changed) {
        if (over_ || !notifications_) return;
        tell_metadata(name);
        if (!notifications_->watch.has(name) && notifications_->has(name)) {
            const bool is_known = notifications_->known.contains(name);
            if (auto done = watch_folder(name, false); !done) return overflow(done.error());
            if (!is_known) tell_first(name);
        }
        if (selected_ && selected_->name == name) continue;
        if (auto done = tell_mailbox(name); !done) log::debug(options_.trace, done.error().what);
    }
    if (!selected_ || !changed.contains(selected_->name) || is_silent()) return;
    const bool delayed =
        notifications_->selected()->filter.kind == imap::MailboxFilter::Kind::selected_delayed;
    synchronize(delayed && !idling_ ? mailbox::Expunges::hold : mailbox::Expunges::report, true);
}

// RFC 5465 3.1: without "selected", or with NONE for it, the client's picture of the mailbox stays
// as it is; in IDLE, too (4).
bool Session::is_silent() const {
    if (!notifications_) return false;
    const imap::NotifyGroup* group = notifications_->selected();
    return group == nullptr || !group->events.of_messages();
}

// RFC 5465 5.6, 5.7
void Session::tell_metadata(const std::string& name) {
    const auto known = notifications_->metadata.find(name);
    if (known == notifications_->metadata.end() || (!name.empty() && lacks("r", name))) return;
    auto now = visible_metadata(name);
    if (!now) return log::debug(options_.trace, now.error().what);
    const std::string entries = changed_entries(known->second, *now);
    known->second = *std::move(now);
    if (entries.empty()) return;
    std::string line = "* METADATA ";
    if (name.empty())
        line += "\"\"";
    else
        imap::append_mailbox_name(line, shown_name(name));
    out_.write(cat({line, entries, "\r\n"}));
}

Result<void> Session::tell_mailbox(const std::string& name) {
    Notifications& all = *notifications_;
    const auto known = all.known.find(name);
    if (known == all.known.end() || lacks("r", name)) return {};  // RFC 5465 5.9
    TRY_ASSIGN(const mailbox::Mailbox box, store_.mailbox(name));
    TRY_ASSIGN(const auto now, box.status());
    const mailbox::MailboxStatus before = std::exchange(known->second, now);
    const bool messages = before.messages != now.messages || before.next_uid != now.next_uid ||
                          before.uid_validity != now.uid_validity;
    const bool flags = before.unseen != now.unseen || before.highest_modseq != now.highest_modseq;
    if (messages || (flags && all.events_of(name).flag_change))
        out_.write(notified_status(name, now, enabled_.condstore));
    return {};
}

// Mailboxes came and went, or are subscribed: which ones the groups cover is looked up anew (RFC
// 5465 6.4), and what the client wants to hear of it is told. `own`: names of which this client
// knows, because it was it.
void Session::follow_names(const std::set<std::string>& own) {
    Notifications& all = *notifications_;
    const auto folders_before = all.folders;
    const auto subscribed_before = all.subscribed;
    const auto known_before = all.known;
    if (auto done = watch_folders(false); !done) return overflow(done.error());
    const NameChanges changes = name_changes(folders_before, all.folders, all.renamed);
    if (!changes.affected.empty()) all.renamed.clear();
    all.renamed.insert(changes.renamed.begin(), changes.renamed.end());
    std::set<std::string> subscriptions;
    std::set_symmetric_difference(subscribed_before.begin(), subscribed_before.end(),
                                  all.subscribed.begin(), all.subscribed.end(),
                                  std::inserter(subscriptions, subscriptions.end()));
    std::set<std::string> names = changes.affected;
    for (const auto& [to, from] : changes.renamed) names.insert(to);
    names.insert(subscriptions.begin(), subscriptions.end());
    std::erase_if(names, [&](const std::string& name) { return own.contains(name); });
    for (const std::string& name : names) tell_name(name, changes, subscriptions.contains(name));
    for (const std::string& name : names)
        if (!known_before.contains(name) && !changes.renamed.contains(name)) tell_first(name);
}

// RFC 5465 5.4, 5.5
void Session::tell_name(const std::string& name, const NameChanges& changes, bool subscription) {
    imap::NotifyEvents events = notifications_->events_of(name);
    const auto renamed = changes.renamed.find(name);
    const bool is_renamed = renamed != changes.renamed.end();
    if (is_renamed) events.join(notifications_->events_of(renamed->second));
    const bool of_name = changes.affected.contains(name) || is_renamed;
    if ((events.mailbox_name && of_name) || (events.subscription_change && subscription))
        out_.write(notified_name(name, is_renamed ? renamed->second : ""));
}

// What came before a new mailbox was watched would never be told.
void Session::tell_first(const std::string& name) {
    const auto known = notifications_->known.find(name);
    if (known != notifications_->known.end() && known->second.messages > 0)
        out_.write(notified_status(name, known->second, enabled_.condstore));
}

// "* LIST (\HasNoChildren) "." new ("OLDNAME" ("old"))"
std::string Session::notified_name(const std::string& name, const std::string& old_name) const {
    const Notifications& all = *notifications_;
    std::vector<std::string> attributes;
    const auto folder = all.folders.find(name);
    const bool exists = folder != all.folders.end();
    if (!exists) attributes.emplace_back("\\NonExistent");
    if (exists && !folder->second.selectable) attributes.emplace_back("\\Noselect");
    if (exists)
        attributes.emplace_back(folder->second.has_children ? "\\HasChildren" : "\\HasNoChildren");
    if (all.subscribed.contains(name)) attributes.emplace_back("\\Subscribed");
    std::string extended;
    if (!old_name.empty()) {
        imap::append_string(extended, shown_name(old_name));
        extended = cat({" (\"OLDNAME\" (", extended, "))"});
    }
    return list_line(
        "LIST", names_.separator,
        {shown_name(name), cat({"(", join(attributes, " "), ")"}), extended, all.has(name), name});
}

// RFC 5465 5: the client is not told of what it did itself.
void Session::pass_over_own_change(const imap::Command& command) {
    std::set<std::string> own;
    const auto add = [&](const std::string& given) {
        const auto name = mailbox::Store::canonical(given);
        if (!name) return;
        for (std::string one = *name;; one.resize(one.rfind(mailbox::kSeparator))) {
            own.insert(one);
            if (one.find(mailbox::kSeparator) == std::string::npos) return;
        }
    };
    if (const auto* create = std::get_if<imap::CreateArguments>(&command.arguments))
        add(create->mailbox);
    else if (const auto* rename = std::get_if<imap::RenameArguments>(&command.arguments)) {
        add(rename->from);
        add(rename->to);
    } else if (const auto* one = std::get_if<imap::MailboxArgument>(&command.arguments)) {
        add(one->mailbox);
    }
    follow_names(own);
}

// RFC 5465 5.2: of a new message of the selected mailbox, what the client wants to know; of its own
// ones it knows it. That a message is told of is no reason for it to become \Seen.
void Session::tell_new_message(std::uint32_t seq, std::vector<imap::FetchItem> items) {
    const imap::NotifyGroup* group = notifications_ ? notifications_->selected() : nullptr;
    if (group != nullptr) join_items(items, group->events.new_items);
    const auto& own = selected_->own_arrivals;
    const mailbox::Uid uid = selected_->view->message(seq).uid;
    if (items.empty() || std::binary_search(own.begin(), own.end(), uid)) return;
    for (imap::FetchItem& item : items) item.sets_seen = false;
    if (!enabled_.uid_only && !imap::has_item(items, imap::FetchItem::Kind::uid))
        items.insert(items.begin(), imap::plain_item(imap::FetchItem::Kind::uid));
    Fetcher fetcher(*selected_->view, selected_->source, out_, style());
    if (auto done = fetcher.run(std::span(&seq, 1), items); !done)
        log::info(options_.trace, done.error().what);
}

// The selected mailbox is another one: the one before is told of by STATUS now.
void Session::follow_selection() {
    if (!notifications_) return;
    if (auto done = watch_folders(false); !done) overflow(done.error());
}

// RFC 5465 5.8
void Session::overflow(const Error& error) {
    log::info(options_.trace, "NOTIFY: " + error.what);
    out_.write("* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch\r\n");
    notifications_.reset();
}

// Between commands: waits for the client, and tells meanwhile. After a look there is a pause in
// proportion to what it cost, as in IDLE: our own log of what others did wakes the watch again.
void Session::wait_and_tell(const Deadline& silence) {
    constexpr Millis kLongestPause{1000};
    Deadline quiet = Deadline::in(Millis{0});
    while (notifications_ && !over_ && !out_.failed() && !connection_.has_input()) {
        out_.flush();
        const bool pausing = !quiet.passed();
        const auto woken =
            connection_.wait(pausing ? -1 : notifications_->watch.fd(), pausing ? quiet : silence);
        if (pausing && woken == Connection::Woken::nothing) continue;
        if (woken != Connection::Woken::other) break;
        const auto start = SystemClock::instance().steady();
        tell_notifications();
        const auto cost = std::chrono::ceil<Millis>(SystemClock::instance().steady() - start);
        quiet = Deadline::in(std::min(cost * 4, kLongestPause));
    }
    out_.flush();
}

}  // namespace postern::imapd
