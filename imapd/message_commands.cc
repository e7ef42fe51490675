// The commands that work on messages of the selected mailbox: RFC 3501 6.4.3 to 6.4.8, MOVE of RFC
// 6851, UID EXPUNGE and the response codes of RFC 4315. All of them need selected_.
#include <algorithm>

#include "imapd/fetch.h"
#include "imapd/flag_names.h"
#include "imapd/resync.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/sequence_set.h"

namespace postern::imapd {
namespace {

constexpr std::string_view kGone =
    "[EXPUNGEISSUED] Some of the requested messages no longer exist.";

Reply read_only() { return Reply::no("[READ-ONLY] Mailbox is read-only"); }

// Nobody has them, so that there is nothing to take away.
void drop_unknown(std::vector<std::string>& names, const std::vector<std::string>& keywords) {
    std::erase_if(names, [&](const std::string& name) {
        return std::none_of(keywords.begin(), keywords.end(),
                            [&](const std::string& known) { return iequals(known, name); });
    });
}

mailbox::StoreMode mode_of(imap::StoreArguments::Mode mode) {
    switch (mode) {
        case imap::StoreArguments::Mode::replace: return mailbox::StoreMode::replace;
        case imap::StoreArguments::Mode::add: return mailbox::StoreMode::add;
        case imap::StoreArguments::Mode::remove: break;
    }
    return mailbox::StoreMode::remove;
}

void add_first(std::vector<imap::FetchItem>& items, imap::FetchItem::Kind kind) {
    if (!imap::has_item(items, kind)) items.insert(items.begin(), imap::plain_item(kind));
}

}  // namespace

// UIDs that do not exist are passed over, RFC 3501 6.4.8; sequence numbers that do not are an
// error.
Result<Session::Seqs> Session::sequence_numbers(const imap::SequenceSet& set, bool uid) const {
    const mailbox::View& view = *selected_->view;
    Seqs seqs;
    if (view.count() == 0) return seqs;
    if (set.is_saved_result()) {  // RFC 5182: messages that are gone have left the result
        for (const mailbox::Uid one : selected_->saved_result)
            if (const std::uint32_t seq = view.seq_of(one); seq != 0) seqs.push_back(seq);
        return seqs;
    }
    if (!uid && set.largest_written() > view.count())
        return Error{Errc::invalid, "Invalid messageset"};
    for (const imap::Range& range :
         set.resolve(uid ? view.message(view.count()).uid : view.count())) {
        std::uint32_t seq = uid ? view.seq_at_or_after(range.first) : range.first;
        for (; seq <= view.count() && (uid ? view.message(seq).uid : seq) <= range.last; ++seq)
            seqs.push_back(seq);
    }
    return seqs;
}

Reply Session::fetch(imap::FetchArguments arguments, bool uid) {
    using Kind = imap::FetchItem::Kind;
    mailbox::View& view = *selected_->view;
    if (arguments.vanished && (!uid || !enabled_.qresync))
        return Reply::bad("VANISHED needs UID FETCH and QRESYNC enabled");  // RFC 7162 3.2.6
    auto seqs = sequence_numbers(arguments.set, uid);
    if (!seqs) return Reply::bad(seqs.error().what);
    if (arguments.changed_since) {
        std::erase_if(*seqs, [&](std::uint32_t seq) {
            return view.message(seq).modseq <= *arguments.changed_since;
        });
        add_first(arguments.items, Kind::modseq);
    }
    if (arguments.partial) {  // RFC 9394 3.3
        if (!uid) return Reply::bad("PARTIAL needs UID FETCH");
        if (auto refusal = too_many_to_answer(arguments.partial->size())) return *refusal;
        const auto window = arguments.partial->window(seqs->size());
        seqs->erase(seqs->begin() + static_cast<std::ptrdiff_t>(window.end), seqs->end());
        seqs->erase(seqs->begin(), seqs->begin() + static_cast<std::ptrdiff_t>(window.begin));
    }
    if (imap::has_item(arguments.items, Kind::modseq)) enable_condstore();
    if (uid && !enabled_.uid_only) add_first(arguments.items, Kind::uid);  // RFC 3501 6.4.8
    if (arguments.vanished) {
        const auto wanted = arguments.set.is_saved_result()
                                ? saved_ranges()
                                : arguments.set.resolve(view.next_uid() - 1);
        auto gone = vanished(view, *arguments.changed_since, wanted, 0);
        if (!gone) return failed(gone.error());
        if (!gone->empty()) out_.write(vanished_line(*gone, true));
    }
    if (!selected_->may('s'))  // RFC 4314 4: without s, nothing becomes \Seen
        for (imap::FetchItem& item : arguments.items) item.sets_seen = false;
    const Cut cut = limit(*seqs);
    Fetcher fetcher(view, selected_->source, out_, style());
    auto outcome = fetcher.run(*seqs, arguments.items);
    if (!outcome) return failed(outcome.error());
    if (tell_of_unreadable(selected_->source))
        return with_cut(Reply::no("Some messages were not fetched"), cut);
    if (outcome->some_missing) return with_cut(Reply::no(kGone), cut);
    if (outcome->unknown_encoding)  // RFC 3516 4.3
        return with_cut(Reply::no("[UNKNOWN-CTE] Some parts have an encoding that is not known"),
                        cut);
    return with_cut(Reply::ok("Fetch completed."), cut);
}

// RFC 4314 4: flags that may not be changed are left out where others may be. Replacing all needs
// all of the rights.
std::optional<Reply> Session::take_storable(imap::StoreArguments& arguments) const {
    const auto may = [&](const std::string& flag) {
        const auto bit = mailbox::system_flag(flag).value_or(0);
        return selected_->may(bit == mailbox::kSeen ? 's' : bit == mailbox::kDeleted ? 't' : 'w');
    };
    const bool replaces = arguments.mode == imap::StoreArguments::Mode::replace;
    const std::size_t wanted = arguments.flags.size();
    std::erase_if(arguments.flags, [&](const std::string& flag) { return !may(flag); });
    const bool all = selected_->may('s') && selected_->may('t') && selected_->may('w');
    const bool none = arguments.flags.empty() && wanted != 0;
    if (replaces ? all : !none) return std::nullopt;
    return lacks("swt", selected_->name).value_or(Reply::no("[NOPERM] Not allowed"));
}

Reply Session::store(imap::StoreArguments arguments, bool uid) {
    mailbox::View& view = *selected_->view;
    auto seqs = sequence_numbers(arguments.set, uid);
    if (!seqs) return Reply::bad(seqs.error().what);
    if (view.read_only()) return read_only();
    if (auto refusal = take_storable(arguments)) return *refusal;
    auto named = sort_flags(arguments.flags);
    if (!named) return Reply::bad(named.error().what);
    if (arguments.mode == imap::StoreArguments::Mode::remove)
        drop_unknown(named->keywords, view.keywords());
    if (!has_room_for(named->keywords, view.keywords()))  // RFC 5530 3
        return Reply::no(cat({"[LIMIT] A mailbox has at most ",
                              std::to_string(mailbox::kMaxKeywords), " keywords"}));
    const auto bits = view.keyword_bits(named->keywords);
    if (!bits) return failed(bits.error());
    if (arguments.unchanged_since) enable_condstore();
    const Cut cut = limit(*seqs);
    auto refused = view.store_unchanged(*seqs, mode_of(arguments.mode), {named->system, *bits},
                                        arguments.unchanged_since.value_or(UINT64_MAX));
    if (!refused) return failed(refused.error());
    announce_flags();  // new keywords, before a FETCH that names them
    announce_stored(*seqs, *refused, uid, arguments.silent);
    if (refused->empty()) return with_cut(Reply::ok("Store completed."), cut);
    // RFC 7162 3.1.3
    return with_cut(
        Reply::ok(cat({"[MODIFIED ", numbers_of(*refused, uid), "] Conditional STORE failed."})),
        cut);
}

// RFC 7162 3.1.3: mod-sequences are told even where .SILENT spares the flags
void Session::announce_stored(const Seqs& seqs, const Seqs& refused, bool uid, bool silent) {
    if (silent && !enabled_.condstore) return;
    auto next_refused = refused.begin();  // in the order of seqs
    for (const std::uint32_t seq : seqs) {
        if (next_refused != refused.end() && *next_refused == seq) {
            ++next_refused;
            continue;
        }
        announce_fetch(seq, uid, !silent);
    }
}

std::string Session::numbers_of(const Seqs& seqs, bool uid) const {
    return uid ? uids_of(seqs) : imap::format_set(seqs);
}

std::string Session::uids_of(const Seqs& seqs) const {
    std::vector<std::uint32_t> uids;
    uids.reserve(seqs.size());
    for (const std::uint32_t seq : seqs) uids.push_back(selected_->view->message(seq).uid);
    return imap::format_set(uids);
}

Reply Session::copy(const imap::CopyArguments& arguments, bool uid, bool move) {
    auto seqs = sequence_numbers(arguments.set, uid);
    if (!seqs) return Reply::bad(seqs.error().what);
    if (move && selected_->view->read_only()) return read_only();
    if (move && !(selected_->may('t') && selected_->may('e')))
        return lacks("te", selected_->name).value_or(read_only());
    auto target = store_.mailbox(arguments.mailbox);
    if (!target) {
        // RFC 3501 6.4.7: unless it is certain that CREATE would fail too
        if (target.error().code == Errc::not_found)
            return Reply::no("[TRYCREATE] Mailbox doesn't exist");
        return failed(target.error());
    }
    if (auto refusal = lacks("i", arguments.mailbox)) return *refusal;
    const std::string done = move ? "Move completed." : "Copy completed.";
    if (seqs->empty()) return Reply::ok("No messages found.");
    // RFC 9738: a COPY does all or nothing, a MOVE what it can
    if (!move)
        if (auto refusal = too_many_to_save(seqs->size(), &*seqs)) return *refusal;
    const Cut cut = move ? limit(*seqs) : Cut();
    // RFC 4314 4: flags that may not be set there are left out
    const std::string rights = rights_of(arguments.mailbox);
    const mailbox::CopyTerms terms{move, settable_flags(rights), mailbox::has_right(rights, 'w')};
    auto copied = selected_->view->copy(*seqs, *target, terms);
    if (!copied)
        return copied.error().code == Errc::not_found ? Reply::no(kGone) : failed(copied.error());
    note_added(arguments.mailbox, copied->uids);
    const std::string code = cat({"[COPYUID ", std::to_string(copied->uid_validity), " ",
                                  uids_of(*seqs), " ", imap::format_set(copied->uids), "] "});
    if (target->path() == selected_->mailbox.path()) selected_->note_own(copied->uids);
    if (!move) return Reply::ok(code + done);
    out_.write(cat({"* OK ", code, "Moved UIDs.\r\n"}));  // RFC 6851 4.3: before the EXPUNGEs
    if (auto removed = selected_->view->expunge(*seqs); !removed) return failed(removed.error());
    return with_cut(Reply::ok(done), cut);
}

// RFC 9738 limits UID EXPUNGE alone: EXPUNGE and CLOSE name no messages that could be asked for
// again.
Result<Session::Cut> Session::remove_deleted(const imap::SequenceSet* uids) {
    mailbox::View& view = *selected_->view;
    // Flags that others set or cleared count, but numbers must not move yet.
    TRY_ASSIGN(const auto changes, view.sync(mailbox::Expunges::hold));
    announce(changes);
    tell_of_news(changes.added);
    const mailbox::Uid last = view.count() == 0 ? 0 : view.message(view.count()).uid;
    const auto ranges = uids == nullptr           ? std::vector<imap::Range>()
                        : uids->is_saved_result() ? saved_ranges()
                                                  : uids->resolve(last);
    Seqs seqs;
    for (std::uint32_t seq = 1; seq <= view.count(); ++seq) {
        const auto& message = view.message(seq);
        if ((message.flags.system & mailbox::kDeleted) == 0) continue;
        if (uids == nullptr || imap::contains(ranges, message.uid)) seqs.push_back(seq);
    }
    const Cut cut = uids == nullptr ? Cut() : limit(seqs);
    TRY(view.expunge(seqs));
    return cut;
}

Reply Session::expunge(const imap::SequenceSet* uids) {
    if (selected_->view->read_only()) return read_only();
    if (!selected_->may('e')) return lacks("e", selected_->name).value_or(read_only());
    const auto cut = remove_deleted(uids);
    if (!cut) return failed(cut.error());
    return with_cut(Reply::ok("Expunge completed."), *cut);
}

}  // namespace postern::imapd
