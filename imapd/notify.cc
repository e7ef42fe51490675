#include "imapd/notify.h"

#include <algorithm>
#include <optional>

#include "lib/mailbox/store.h"

namespace postern::imapd {
namespace {

// Of "a.b.c" "a.b".
std::optional<std::string> parent_of(const std::string& name) {
    const auto at = name.rfind(mailbox::kSeparator);
    if (at == std::string::npos) return std::nullopt;
    return name.substr(0, at);
}

// Does the rename of a name above explain this one?
bool follows_parent(const std::map<std::string, std::string>& renamed, const std::string& to,
                    const std::string& from) {
    for (auto above = parent_of(to); above; above = parent_of(*above)) {
        const auto found = renamed.find(*above);
        if (found != renamed.end() && from == found->second + to.substr(above->size())) return true;
    }
    return false;
}

void add_with_parent(std::set<std::string>& names, const std::string& name) {
    names.insert(name);
    if (const auto parent = parent_of(name)) names.insert(*parent);
}

bool is_mailbox(const Notifications::Folders& folders, const std::string& name) {
    const auto found = folders.find(name);
    return found != folders.end() && found->second.selectable;
}

// New names of mailboxes that were there under another one.
std::map<std::string, std::string> moved(const Notifications::Folders& before,
                                         const Notifications::Folders& now) {
    std::map<std::uint32_t, std::string> gone;
    for (const auto& [name, folder] : before)
        if (folder.uid_validity != 0 && !is_mailbox(now, name)) gone[folder.uid_validity] = name;
    std::map<std::string, std::string> out;
    for (const auto& [name, folder] : now)
        if (const auto old = gone.find(folder.uid_validity);
            old != gone.end() && folder.selectable && !is_mailbox(before, name))
            out[name] = old->second;
    return out;
}

}  // namespace

NameChanges name_changes(const Notifications::Folders& before, const Notifications::Folders& now,
                         const std::map<std::string, std::string>& earlier) {
    NameChanges out;
    const auto all_moved = moved(before, now);
    std::set<std::string> explained;
    for (const auto& [to, from] : all_moved) {
        if (!follows_parent(all_moved, to, from) && !follows_parent(earlier, to, from))
            out.renamed[to] = from;
        explained.insert({to, from});
    }
    for (const auto& [name, folder] : before)
        if (folder.selectable && !is_mailbox(now, name) && !explained.contains(name))
            add_with_parent(out.affected, name);
    for (const auto& [name, folder] : now)
        if (folder.selectable && !is_mailbox(before, name) && !explained.contains(name))
            add_with_parent(out.affected, name);
    return out;
}

imap::NotifyEvents Notifications::events_of(const std::string& name) const {
    imap::NotifyEvents out;
    for (const imap::NotifyGroup& group : groups)
        if ((group.filter.kind != imap::MailboxFilter::Kind::personal || is_personal(name)) &&
            group.filter.covers(full_name(name), subscribed.contains(name), mailbox::kSeparator))
            out.join(group.events);
    return out;
}

const imap::NotifyGroup* Notifications::selected() const {
    for (const imap::NotifyGroup& group : groups)
        if (group.is_selected()) return &group;
    return nullptr;
}

bool Notifications::wants_flags_of_selected() const {
    const imap::NotifyGroup* group = selected();
    return group != nullptr && group->events.flag_change;
}

// RFC 5465 6: which mailboxes these groups are about changes with every new one.
bool Notifications::follows_names() const {
    return std::any_of(groups.begin(), groups.end(),
                       [](const imap::NotifyGroup& group) { return !group.is_selected(); });
}

bool Notifications::wants_server_metadata() const {
    return std::any_of(groups.begin(), groups.end(), [](const imap::NotifyGroup& group) {
        return group.events.server_metadata_change;
    });
}

bool Notifications::has(const std::string& name) const { return is_mailbox(folders, name); }

void Notifications::forget(const std::string& name) {
    watch.remove(name);
    known.erase(name);
    metadata.erase(name);
}

}  // namespace postern::imapd
