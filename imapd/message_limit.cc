// MESSAGELIMIT and SAVELIMIT, RFC 9738: how many messages one command works on. The newest of those
// that it names are taken; the code of its answer says which was the oldest, so that the client can
// go on below it.
#include <algorithm>
#include <numeric>

#include "imapd/session.h"
#include "lib/base/strings.h"

namespace postern::imapd {
namespace {

using SetKind = imap::SearchKey::Kind;

bool is_set(const imap::SearchKey& key) {
    return key.kind == SetKind::set || key.kind == SetKind::uid_set;
}

void keep_those_in(const imap::SearchKey& key, const mailbox::View& view,
                   std::vector<std::uint32_t>& seqs) {
    const bool uid = key.kind == SetKind::uid_set;
    const std::uint32_t count = view.count();
    const auto ranges = key.set.resolve(uid && count != 0 ? view.message(count).uid : count);
    std::erase_if(seqs, [&](std::uint32_t seq) {
        return !imap::contains(ranges, uid ? view.message(seq).uid : seq);
    });
}

// Those that a search has to look at: within the sets that it names.
std::vector<std::uint32_t> searched(const imap::SearchKey& key, const mailbox::View& view) {
    std::vector<std::uint32_t> seqs(view.count());
    std::iota(seqs.begin(), seqs.end(), 1U);
    if (is_set(key)) keep_those_in(key, view, seqs);
    if (key.kind == SetKind::and_)
        for (const imap::SearchKey& child : key.children)
            if (is_set(child)) keep_those_in(child, view, seqs);
    return seqs;
}

}  // namespace

// Leaves the newest, where they are too many.
Session::Cut Session::limit(Seqs& seqs) const {
    const std::size_t most = options_.message_limit;
    if (most == 0 || seqs.size() <= most) return {};
    seqs.erase(seqs.begin(), seqs.end() - static_cast<std::ptrdiff_t>(most));
    return selected_->view->message(seqs.front()).uid;
}

// The messages among which to search; nothing: all.
std::optional<Session::Seqs> Session::search_limit(const imap::SearchKey& key, Cut& cut) const {
    const mailbox::View& view = *selected_->view;
    if (options_.message_limit == 0 || view.count() <= options_.message_limit) return {};
    Seqs seqs = searched(key, view);
    cut = limit(seqs);
    return cut ? std::optional(std::move(seqs)) : std::nullopt;
}

// COPY and APPEND add all messages or none. `seqs`: those of a COPY, of which the answer tells
// where the newest begin that it would take.
std::optional<Reply> Session::too_many_to_save(std::size_t messages, const Seqs* seqs) const {
    std::size_t most = SIZE_MAX;
    for (const std::size_t one : {options_.message_limit, options_.save_limit})
        if (one != 0) most = std::min(most, one);
    if (messages <= most) return std::nullopt;
    const std::string oldest =
        seqs == nullptr
            ? ""
            : cat({" ", std::to_string(selected_->view->message((*seqs)[messages - most]).uid)});
    return Reply::no(cat({"[MESSAGELIMIT ", std::to_string(most), oldest,
                          "] Too many messages at once, try a smaller set"}));
}

// Of what would be nothing without all of them: SORT and THREAD (RFC 9738 3.3), a range of PARTIAL.
std::optional<Reply> Session::too_many_to_answer(std::size_t messages) const {
    const std::size_t most = options_.message_limit;
    if (most == 0 || messages <= most) return std::nullopt;
    return Reply::no(cat({"[MESSAGELIMIT ", std::to_string(most),
                          "] Too many messages at once, try a smaller set"}));
}

std::optional<Reply> Session::too_many_to_arrange(const imap::SearchArguments& arguments) const {
    const std::size_t most = options_.message_limit;
    if (most == 0 || selected_->view->count() <= most) return std::nullopt;
    return too_many_to_answer(searched(converted(arguments), *selected_->view).size());
}

Reply Session::with_cut(Reply reply, const Cut& cut) {
    if (!cut) return reply;
    const std::string most = std::to_string(options_.message_limit);
    const std::string code = cat({"[MESSAGELIMIT ", most, " ", std::to_string(*cut), "] "});
    if (reply.kind == Reply::Kind::ok && !reply.text.starts_with('['))
        return Reply::ok(cat({code, reply.text, " Only the last ", most, " messages."}));
    // An answer has one code (RFC 9051 7.1), and its own says more of what became of it: a warning
    // beside it.
    out_.write(cat({"* NO ", code, "Only the last ", most, " messages.\r\n"}));
    return reply;
}

}  // namespace postern::imapd
