// GETMETADATA and SETMETADATA, RFC 5464: notes about a mailbox, or ("") about the server. Those
// under /private/ are each user's own, the others all those see whom the mailbox is shared with.
#include "imapd/listing.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"
#include "lib/log/log.h"

namespace postern::imapd {
namespace {

constexpr std::string_view kSpecialUse = "/private/specialuse";  // RFC 6154 4

// The attributes of a value as LIST would show them; nothing where one cannot be given.
std::optional<std::vector<std::string>> uses_in(std::string_view value) {
    std::vector<std::string> out;
    for (const std::string_view word : split(value, ' ')) {
        if (word.empty()) continue;
        auto use = special_use_of(word);
        if (!use) return std::nullopt;
        out.push_back(*std::move(use));
    }
    return out;
}

}  // namespace

Result<mailbox::Metadata> Session::visible_metadata(const std::string& name) const {
    TRY_ASSIGN(auto all, store_.metadata(name));
    if (name.empty() || !store_.is_personal(name)) return all;
    TRY_ASSIGN(const auto given, store_.special_uses());
    TRY_ASSIGN(const std::string folder, mailbox::Store::canonical(name));
    if (const auto uses = uses_of(given, folder); !uses.empty())
        all[std::string(kSpecialUse)] = join(uses, " ");
    return all;
}

// RFC 5464 3.3: to look a mailbox up is not enough.
std::optional<Reply> Session::lacks_notes(const std::string& name) const {
    if (name.empty() || store_.is_personal(name)) return std::nullopt;
    for (const char* right : {"r", "s", "w", "i", "p"})
        if (!lacks(right, name)) return std::nullopt;
    return lacks("r", name);
}

Reply Session::get_metadata(const imap::GetMetadataArguments& arguments) {
    if (auto refusal = lacks_notes(arguments.mailbox)) return *refusal;
    auto all = visible_metadata(arguments.mailbox);
    if (!all) return failed(all.error());
    std::string entries;
    std::size_t longest_omitted = 0;
    for (const auto& [name, value] : *all) {
        if (!arguments.asks_for(name)) continue;
        if (arguments.max_size && value.size() > *arguments.max_size) {
            longest_omitted = std::max(longest_omitted, value.size());
            continue;
        }
        if (!entries.empty()) entries += ' ';
        imap::append_astring(entries, name);
        entries += ' ';
        if (value.find('\0') == std::string::npos)
            imap::append_string(entries, value);
        else
            imap::append_literal8(entries, value);
    }
    if (!entries.empty()) {
        std::string line = "* METADATA ";
        if (arguments.mailbox.empty())
            line += "\"\"";
        else
            imap::append_mailbox_name(line, shown_name(arguments.mailbox));
        out_.write(cat({line, " (", entries, ")\r\n"}));
    }
    if (longest_omitted == 0) return Reply::ok("Getmetadata completed.");
    // RFC 5464 4.2.1
    return Reply::ok(cat(
        {"[METADATA LONGENTRIES ", std::to_string(longest_omitted), "] Getmetadata completed."}));
}

// RFC 5465 5: the client is not told of what it did itself.
void Session::pass_over_own_entries(const std::string& name,
                                    const std::vector<mailbox::MetadataChange>& changes) {
    const auto canonical = name.empty() ? name : mailbox::Store::canonical(name).value_or(name);
    const auto known = notifications_->metadata.find(canonical);
    if (known == notifications_->metadata.end()) return;
    for (const mailbox::MetadataChange& change : changes) {
        if (change.value)
            known->second[change.name] = *change.value;
        else
            known->second.erase(change.name);
    }
}

// The same of what the mailbox is for, which is not noted among its entries.
void Session::pass_over_own_use(const std::string& name) {
    auto now = visible_metadata(name);
    if (!now) return log::debug(options_.trace, now.error().what);
    const auto use = now->extract(std::string(kSpecialUse));
    const auto value = use ? std::optional(use.mapped()) : std::nullopt;
    pass_over_own_entries(name, {{std::string(kSpecialUse), value}});
}

// RFC 9590 3: NIL for what is asked for and is not there
void Session::write_listed_metadata(const std::string& name, imap::GetMetadataArguments arguments) {
    const auto all = visible_metadata(name);
    if (!all) return;
    std::vector<std::string> words;
    for (const std::string& entry : arguments.entries) {
        if (all->contains(entry)) continue;
        std::string word;
        imap::append_astring(word, entry);
        words.push_back(word + " NIL");
    }
    for (const auto& [entry, value] : *all) {
        if (!arguments.asks_for(entry)) continue;
        if (arguments.max_size && value.size() > *arguments.max_size) continue;
        std::string word;
        imap::append_astring(word, entry);
        word += ' ';
        if (value.find('\0') == std::string::npos)
            imap::append_string(word, value);
        else
            imap::append_literal8(word, value);
        words.push_back(std::move(word));
    }
    if (words.empty()) return;
    std::string line = "* METADATA ";
    imap::append_mailbox_name(line, shown_name(name));
    line += ' ';
    imap::append_list(line, words);
    out_.write(line + "\r\n");
}

Reply Session::set_metadata(const imap::SetMetadataArguments& arguments) {
    if (auto refusal = lacks_notes(arguments.mailbox)) return *refusal;
    const bool of_others = !arguments.mailbox.empty() && !store_.is_personal(arguments.mailbox);
    bool all_private = of_others;
    std::vector<mailbox::MetadataChange> changes;
    std::optional<std::string> uses;
    for (const auto& entry : arguments.entries) {
        if (entry.value && entry.value->size() > mailbox::kMaxMetadataValue)
            return Reply::no(cat({"[METADATA MAXSIZE ", std::to_string(mailbox::kMaxMetadataValue),
                                  "] Value is too long"}));
        if (of_others && !mailbox::is_private_entry(to_lower(entry.name))) {
            if (auto refusal = lacks("w", arguments.mailbox)) return *refusal;
            all_private = false;
        }
        if (iequals(entry.name, kSpecialUse) && !arguments.mailbox.empty())
            uses = entry.value.value_or("");
        else
            changes.push_back({entry.name, entry.value});
    }
    if (uses)
        if (auto refusal = refuse_uses(arguments.mailbox, *uses)) return *refusal;
    if (!changes.empty()) {
        auto done = store_.set_metadata(arguments.mailbox, changes);
        if (!done && done.error().code == Errc::permanent)
            return Reply::no("[METADATA TOOMANY] Too many entries");
        if (!done) return failed(done.error());
        if (!arguments.mailbox.empty()) note_metadata_change(arguments.mailbox, all_private);
        if (notifications_) pass_over_own_entries(arguments.mailbox, changes);
    }
    return uses ? give_uses(arguments.mailbox, *uses_in(*uses))
                : Reply::ok("Setmetadata completed.");
}

// RFC 6154 4: what CREATE would refuse is refused here too, before anything is changed
std::optional<Reply> Session::refuse_uses(const std::string& name, std::string_view value) const {
    const auto wanted = uses_in(value);
    if (iequals(name, "INBOX") || !wanted || !store_.is_personal(name))
        return Reply::no("[USEATTR] The mailbox can't be for that use");
    const auto folder = mailbox::Store::canonical(name);
    if (!folder) return failed(folder.error());
    if (const auto box = store_.mailbox(*folder); !box) return failed(box.error());
    auto given = store_.special_uses();
    if (!given) return failed(given.error());
    given->erase(*folder);
    if (wanted->empty() && !uses_of(*given, *folder).empty())
        return Reply::no("[USEATTR] The mailbox's name tells its use");
    return std::nullopt;
}

// RFC 6154 5.4: one mailbox is for a use; the client is told whose it was
Reply Session::give_uses(const std::string& name, const std::vector<std::string>& uses) {
    const auto losers = store_.move_special_use(name, uses);
    if (!losers) return failed(losers.error());
    imap::GetMetadataArguments told;
    told.entries.emplace_back(kSpecialUse);
    std::vector<std::string> changed = *losers;
    changed.push_back(name);
    for (const std::string& loser : *losers) write_listed_metadata(loser, told);
    for (const std::string& one : changed) {
        note_metadata_change(one, false);
        if (notifications_) pass_over_own_use(one);
    }
    return Reply::ok("Setmetadata completed.");
}

// RFC 7162 3.2. The entries are there: where the number cannot be raised, that is a matter for the
// log.
void Session::note_metadata_change(const std::string& name, bool of_others_and_private) const {
    const auto box = store_.mailbox(name);
    const auto raised = !box                    ? Result<void>(box.error())
                        : of_others_and_private ? box->raise_private_modseq()
                                                : box->raise_modseq();
    if (!raised) log::warning(options_.trace, raised.error().what);
}

}  // namespace postern::imapd
