// Which mailbox is selected, and what the client is told of what happens in it: SELECT, EXAMINE,
// CLOSE (RFC 3501 6.3.1, 6.4.2; RFC 9051; RFC 7162 for those who come back), untagged responses.
#include <algorithm>

#include "imapd/flag_names.h"
#include "imapd/listing.h"
#include "imapd/resync.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::imapd {

Reply Session::select(const imap::SelectArguments& arguments, bool examine) {
    if (arguments.qresync && !enabled_.qresync)
        return Reply::bad("QRESYNC is not enabled");  // RFC 7162 3.2.5
    if (arguments.qresync && enabled_.uid_only && !arguments.qresync->match_seqs.empty())
        return uid_required();
    // RFC 7162 3.2.11 (whether or not anything is enabled), RFC 9051 7.1: what follows is about the
    // new mailbox
    if (selected_) out_.write("* OK [CLOSED] Previous mailbox is closed now\r\n");
    auto before = selected_ ? std::move(selected_->view) : nullptr;
    selected_.reset();  // RFC 3501 6.3.1: nothing is selected after a failed SELECT
    if (arguments.condstore || arguments.qresync) enable_condstore();
    auto name = mailbox::Store::canonical(arguments.mailbox);
    if (!name) return failed(name.error());
    auto entered = store_.enter(*name);
    if (!entered) return failed(entered.error());
    std::string rights = rights_or_less(*name, std::move(entered->rights));
    if (!mailbox::has_right(rights, 'r')) return lacks("r", *name).value_or(Reply::no("[NOPERM]"));
    // RFC 4314 5.2: read-only where nothing may be changed
    if (rights.find_first_of("swtei") == std::string::npos) examine = true;
    auto view = entered->mailbox.open_after(
        std::move(before), examine ? mailbox::Access::read_only : mailbox::Access::read_write);
    if (!view) return failed(view.error());
    selected_.emplace(*name, std::move(entered->mailbox), std::move(*view));
    selected_->rights = std::move(rights);
    describe_selected();
    if (arguments.qresync) {
        if (auto done = resynchronize(*arguments.qresync); !done) return failed(done.error());
    }
    return Reply::ok(examine ? "[READ-ONLY] Examine completed." : "[READ-WRITE] Select completed.");
}

void Session::describe_selected() {
    const mailbox::View& v = *selected_->view;
    const auto number = [](std::uint64_t n) { return std::to_string(n); };
    announce_flags();
    out_.write("* " + number(v.count()) + " EXISTS\r\n");
    if (!enabled_.rev2) {
        out_.write("* " + number(v.recent()) + " RECENT\r\n");
        if (v.first_unseen() != 0 && !enabled_.uid_only)  // RFC 9586 3.1
            out_.write("* OK [UNSEEN " + number(v.first_unseen()) + "] First unseen.\r\n");
    }
    out_.write("* OK [UIDVALIDITY " + number(v.uid_validity()) + "] UIDs valid\r\n");
    out_.write("* OK [UIDNEXT " + number(v.next_uid()) + "] Predicted next UID\r\n");
    out_.write(cat({"* OK ", highest_modseq_code(v.told_modseq()), "Highest\r\n"}));
    out_.write(cat({"* OK [MAILBOXID (", v.mailbox_id(), ")] Ok\r\n"}));  // RFC 8474 4.2
    if (enabled_.rev2)
        out_.write(
            list_line("LIST", names_.separator, {shown_name(selected_->name), "()", {}, true, {}}));
}

// RFC 7162 3.2.5: what went and what changed since the client was here, of the messages it knows.
Result<void> Session::resynchronize(const imap::Qresync& known) {
    mailbox::View& view = *selected_->view;
    if (known.uid_validity != view.uid_validity() || view.next_uid() == 1) return {};
    const mailbox::Uid last = view.next_uid() - 1;
    const auto wanted =
        known.known_uids ? known.known_uids->resolve(last) : std::vector<imap::Range>{{1, last}};
    TRY_ASSIGN(const auto gone, vanished(view, known.modseq, wanted, matched_up_to(view, known)));
    if (!gone.empty()) out_.write(vanished_line(gone, true));
    for (std::uint32_t seq = 1; seq <= view.count(); ++seq) {
        const mailbox::Message message = view.message(seq);
        if (message.modseq > known.modseq && imap::contains(wanted, message.uid))
            announce_fetch(seq, true, true);
    }
    return {};
}

// RFC 3501 6.4.2: CLOSE removes deleted messages without a word, unless the mailbox is read-only.
// RFC 7162 3.2.8: nor is its mod-sequence told, for there may be more below it that is not.
Reply Session::close(bool expunges) {
    if (expunges && !selected_->view->read_only() && selected_->may('e'))
        if (auto done = remove_deleted(nullptr); !done) return failed(done.error());
    selected_.reset();
    return Reply::ok(expunges ? "Close completed." : "Unselect completed.");
}

void Session::synchronize(mailbox::Expunges expunges, bool thorough) {
    if (!may_go_on()) return;
    std::vector<mailbox::Uid> before;  // the numbers that the client knows
    const mailbox::View& view = *selected_->view;
    for (std::uint32_t seq = 1; selected_->contexts && seq <= view.count(); ++seq)
        before.push_back(view.message(seq).uid);
    auto changes = selected_->view->sync(expunges, thorough);
    if (changes) {
        if (selected_->contexts && !changes->expunged_uids.empty())
            out_.write(selected_->contexts->without(changes->expunged_uids, before));
        announce(*changes);
        tell_held_modseq();
        return tell_of_news(changes->added);
    }
    // The folder was deleted or replaced under us: there are no numbers any more to speak of.
    log::warning(options_.trace, changes.error().what);
    out_.write("* BYE The selected mailbox is not available any more\r\n");
    end("Selected mailbox is gone: " + changes.error().what);
}

// After EXISTS and flags: what the client wants to know of new messages, and what joined and left
// its searches. In the order of RFC 5465 7 (and of its example; 5.2 has it the other way round).
void Session::tell_of_news(std::uint32_t added) {
    if (!selected_->contexts && !notifications_) return selected_->own_arrivals.clear();
    const mailbox::View& view = *selected_->view;
    const std::uint32_t known = view.count() - added;
    SearchContexts::Update update;
    if (selected_->contexts) {
        const mailbox::Uid first_new = known == 0 ? 1 : view.message(known).uid + 1;
        auto news = selected_->contexts->update(*selected_->view, selected_->source, first_new);
        if (news) {
            update = *std::move(news);
        } else {
            log::warning(options_.trace, news.error().what);
            selected_->contexts.reset();
        }
    }
    for (std::uint32_t seq = known + 1; seq <= view.count(); ++seq)
        tell_new_message(seq, std::move(update.items[view.message(seq).uid]));
    selected_->own_arrivals.clear();
    out_.write(update.lines);
}

// RFC 7162 3.2, 6: a client that sees mod-sequences while expunges are held, or NOTIFY keeps changes
// from it, must not take the highest of them for what it has heard of.
void Session::tell_held_modseq() {
    const std::uint64_t told = selected_->told_modseq();
    if (enabled_.condstore && told < selected_->view->highest_modseq())
        out_.write(cat({"* OK ", highest_modseq_code(told), "Not all is told yet\r\n"}));
}

void Session::announce(const mailbox::Changes& changes) {
    mailbox::View& view = *selected_->view;
    announce_flags();  // before a FETCH that names new ones
    if (enabled_.qresync || enabled_.uid_only) {
        if (!changes.expunged_uids.empty())
            out_.write(vanished_line(imap::to_ranges(changes.expunged_uids), false));
    } else {
        for (const std::uint32_t seq : changes.expunged)
            out_.write("* " + std::to_string(seq) + " EXPUNGE\r\n");
    }
    if (changes.added > 0) {
        out_.write("* " + std::to_string(view.count()) + " EXISTS\r\n");
        if (!enabled_.rev2) out_.write("* " + std::to_string(view.recent()) + " RECENT\r\n");
    }
    const bool withholds = notifications_ && !notifications_->wants_flags_of_selected();
    for (const std::uint32_t seq : changes.changed) {
        if (withholds)
            selected_->withhold(view.message(seq).modseq);
        else
            announce_fetch(seq, false, true);
    }
}

// RFC 7162 3.2.4: with the UID for those who know of mod-sequences; RFC 9051 7.5.2 wishes it too,
// and RFC 5465 5.1 for what is told by NOTIFY
void Session::announce_fetch(std::uint32_t seq, bool uid, bool flags) {
    const mailbox::View& view = *selected_->view;
    const mailbox::Message message = view.message(seq);
    std::vector<std::string> items;
    const bool wanted = uid || enabled_.condstore || enabled_.rev2 || notifications_;
    if (wanted && !enabled_.uid_only) items.push_back("UID " + std::to_string(message.uid));
    if (flags) items.push_back("FLAGS " + flag_list(message, view.keywords(), style().recent));
    if (enabled_.condstore) items.push_back("MODSEQ (" + std::to_string(message.modseq) + ")");
    const std::string head = enabled_.uid_only ? std::to_string(message.uid) + " UIDFETCH"
                                               : std::to_string(seq) + " FETCH";
    out_.write(cat({"* ", head, " (", join(items, " "), ")\r\n"}));
}

void Session::announce_flags() {
    const auto& keywords = selected_->view->keywords();
    if (keywords.size() == selected_->announced_keywords) return;
    selected_->announced_keywords = keywords.size();
    out_.write(cat({"* FLAGS ", all_flags(keywords), "\r\n"}));
    if (selected_->view->read_only()) {
        out_.write("* OK [PERMANENTFLAGS ()] Read-only mailbox.\r\n");
    } else {
        out_.write(cat({"* OK [PERMANENTFLAGS ", permanent_flags(keywords, selected_->rights),
                        "] Flags permitted.\r\n"}));
    }
}

}  // namespace postern::imapd
