// NOTIFY, RFC 5465: the client hears of mailboxes at any time, also of those that are not selected,
// also without IDLE. While it says nothing, the session waits for it and for all watched folders.
#include <algorithm>
#include <chrono>

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
    "[BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)] ";

}  // namespace

const imap::NotifyEvents* Notifications::events_of(const std::string& name) const {
    for (const imap::NotifyGroup& group : groups)
        if ((group.filter.kind != imap::MailboxFilter::Kind::personal || is_personal(name)) &&
            group.filter.covers(full_name(name), subscribed.contains(name), mailbox::kSeparator))
            return &group.events;
    return nullptr;
}

const imap::NotifyGroup* Notifications::selected() const {
    for (const imap::NotifyGroup& group : groups)
        if (group.is_selected()) return &group;
    return nullptr;
}

bool Notifications::wants_names() const {
    return std::any_of(groups.begin(), groups.end(), [](const imap::NotifyGroup& group) {
        return group.events.mailbox_name || group.events.subscription_change;
    });
}

Reply Session::notify(const imap::NotifyArguments& arguments) {
    if (arguments.has_unknown())
        return Reply::no(cat({kSupported, "Some events are not supported"}));
    notifications_.reset();  // RFC 5465 3: each NOTIFY replaces the one before
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
    return Reply::ok("NOTIFY completed.");
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
    TRY_ASSIGN(const auto folders, store_.folders());
    all.folders.clear();
    for (const auto& folder : folders) {
        if (!folder.selectable) continue;
        all.folders.insert(folder.name);
        TRY(watch_folder(folder.name, tell));
    }
    // The root says which folders and subscriptions there are.
    if (all.wants_names() && !all.watch.has("INBOX")) TRY(all.watch.add("INBOX", store_.root()));
    for (const mailbox::Mount& mount : store_.mounts())
        if (all.wants_names() && mount.owner.empty() && !all.watch.has(mount.prefix))
            TRY(all.watch.add(mount.prefix, mount.root, mailbox::FolderWatch::What::directory));
    return {};
}

Result<void> Session::watch_folder(const std::string& name, bool tell) {
    Notifications& all = *notifications_;
    const bool is_selected = selected_ && selected_->name == name;
    const imap::NotifyEvents* events = all.events_of(name);
    const bool wanted = events != nullptr && events->of_messages();
    if (!wanted && !is_selected) return {};
    if (lacks("r", name)) return {};  // RFC 5465 9
    TRY_ASSIGN(const mailbox::Mailbox box, store_.mailbox(name));
    if (!all.watch.has(name)) TRY(all.watch.add(name, box.path()));
    if (!wanted || is_selected || all.known.contains(name)) return {};
    TRY_ASSIGN(const auto status, box.status());
    all.known[name] = status;
    if (tell) out_.write(notified_status(name, status));
    return {};
}

// RFC 5465 5.1: "* STATUS Lists (MESSAGES 8 UIDNEXT 10 UIDVALIDITY 1 UNSEEN 2)"
std::string Session::notified_status(const std::string& name,
                                     const mailbox::MailboxStatus& status) const {
    std::string line = "* STATUS ";
    imap::append_mailbox_name(line, shown_name(name));
    line += cat({" (MESSAGES ", std::to_string(status.messages), " UIDNEXT ",
                 std::to_string(status.next_uid), " UIDVALIDITY ",
                 std::to_string(status.uid_validity), " UNSEEN ", std::to_string(status.unseen)});
    if (enabled_.condstore) line += " HIGHESTMODSEQ " + std::to_string(status.highest_modseq);
    return line + ")\r\n";
}

// Tells what the watch has seen. The selected mailbox has its own rules.
void Session::tell_notifications() {
    const std::set<std::string> changed = notifications_->watch.take();
    bool names = changed.contains("INBOX");
    for (const mailbox::Mount& mount : store_.mounts())
        names = names || changed.contains(mount.prefix);
    if (names && notifications_->wants_names()) tell_names();
    if (!notifications_) return;
    for (const std::string& name : changed) {
        if (over_) return;
        if (selected_ && selected_->name == name) continue;
        if (auto done = tell_mailbox(name); !done) log::debug(options_.trace, done.error().what);
    }
    if (!selected_ || !changed.contains(selected_->name)) return;
    const imap::NotifyGroup* group = notifications_->selected();
    if (group == nullptr || !group->events.of_messages()) {
        // RFC 5465 5: only what the client asked for; IDLE asks for the selected mailbox too.
        if (idling_) synchronize(mailbox::Expunges::report, true);
        return;
    }
    const bool delayed = group->filter.kind == imap::MailboxFilter::Kind::selected_delayed;
    synchronize(delayed && !idling_ ? mailbox::Expunges::hold : mailbox::Expunges::report, true);
}

Result<void> Session::tell_mailbox(const std::string& name) {
    Notifications& all = *notifications_;
    const auto known = all.known.find(name);
    const imap::NotifyEvents* events = all.events_of(name);
    if (known == all.known.end() || events == nullptr) return {};
    TRY_ASSIGN(const mailbox::Mailbox box, store_.mailbox(name));
    TRY_ASSIGN(const auto now, box.status());
    const mailbox::MailboxStatus before = std::exchange(known->second, now);
    const bool messages = before.messages != now.messages || before.next_uid != now.next_uid ||
                          before.uid_validity != now.uid_validity;
    const bool flags = before.unseen != now.unseen || before.highest_modseq != now.highest_modseq;
    if (messages || (flags && events->flag_change)) out_.write(notified_status(name, now));
    return {};
}

// RFC 5465 5.4, 5.5: mailboxes that came and went, and what is subscribed
void Session::tell_names() {
    Notifications& all = *notifications_;
    const auto folders_before = all.folders;
    const auto subscribed_before = all.subscribed;
    if (auto done = watch_folders(false); !done) {
        log::info(options_.trace, "NOTIFY: " + done.error().what);
        out_.write("* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch\r\n");
        notifications_.reset();
        return;
    }
    std::set<std::string> names = folders_before;
    names.insert(all.folders.begin(), all.folders.end());
    names.insert(subscribed_before.begin(), subscribed_before.end());
    names.insert(all.subscribed.begin(), all.subscribed.end());
    for (const std::string& name : names) {
        const imap::NotifyEvents* events = all.events_of(name);
        if (events == nullptr) continue;
        const bool exists = all.folders.contains(name);
        const bool is_subscribed = all.subscribed.contains(name);
        const bool came_or_went = exists != folders_before.contains(name);
        const bool changed = is_subscribed != subscribed_before.contains(name);
        if (!exists) {
            all.watch.remove(name);
            all.known.erase(name);
        }
        if (!(came_or_went && events->mailbox_name) && !(changed && events->subscription_change))
            continue;
        std::vector<std::string> attributes;
        if (!exists) attributes.emplace_back("\\NonExistent");
        if (is_subscribed) attributes.emplace_back("\\Subscribed");
        out_.write(list_line("LIST", names_.separator,
                             {shown_name(name), cat({"(", join(attributes, " "), ")"}), {}, exists, name}));
    }
}

// RFC 5465 5.2: of each new message of the selected mailbox, what the client wants to know
void Session::tell_new_messages(std::uint32_t added) {
    const imap::NotifyGroup* group = notifications_->selected();
    if (group == nullptr || group->events.new_items.empty() || added == 0) return;
    Seqs seqs;
    for (std::uint32_t seq = selected_->view->count() - added + 1; seq <= selected_->view->count();
         ++seq)
        seqs.push_back(seq);
    auto items = group->events.new_items;
    if (!enabled_.uid_only && !imap::has_item(items, imap::FetchItem::Kind::uid))
        items.insert(items.begin(), imap::plain_item(imap::FetchItem::Kind::uid));
    Fetcher fetcher(*selected_->view, selected_->source, out_, style());
    if (auto done = fetcher.run(seqs, items); !done) log::info(options_.trace, done.error().what);
}

// The selected mailbox is another one: the one before is told of by STATUS now.
void Session::follow_selection() {
    if (!notifications_) return;
    if (auto done = watch_folders(false); !done) {
        log::info(options_.trace, "NOTIFY: " + done.error().what);
        out_.write("* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch\r\n");
        notifications_.reset();
    }
}

// Between commands: waits for the client, and tells meanwhile. After a look there is a pause in
// proportion to what it cost, as in IDLE: our own log of what others did wakes the watch again.
void Session::wait_and_tell() {
    constexpr Millis kLongestPause{1000};
    const Deadline silence = Deadline::in(options_.idle_timeout);
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
