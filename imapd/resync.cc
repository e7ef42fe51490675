#include "imapd/resync.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::imapd {
namespace {

using imap::Range;

// The parts of one range that no message of the view has.
void add_missing(const mailbox::View& view, Range range, std::vector<Range>& out) {
    std::uint32_t next = range.first;
    for (std::uint32_t seq = view.seq_at_or_after(range.first); seq <= view.count(); ++seq) {
        const mailbox::Uid uid = view.message(seq).uid;
        if (uid > range.last) break;
        if (uid > next) out.push_back({next, uid - 1});
        next = uid + 1;
    }
    if (next <= range.last) out.push_back({next, range.last});
}

// The numbers of a set in the order of size, at most `limit` of them.
std::vector<std::uint32_t> numbers_of(const imap::SequenceSet& set, std::size_t limit) {
    std::vector<std::uint32_t> out;
    for (const Range& range : set.resolve(0))
        for (std::uint64_t n = range.first; n <= range.last && out.size() < limit; ++n)
            out.push_back(static_cast<std::uint32_t>(n));
    return out;
}

}  // namespace

Result<std::vector<Range>> vanished(mailbox::View& view, std::uint64_t modseq,
                                    const std::vector<Range>& wanted, mailbox::Uid floor) {
    std::vector<Range> out;
    TRY_ASSIGN(const auto known, view.expunged_since(modseq));
    if (known) {
        std::vector<std::uint32_t> uids;
        for (const mailbox::Uid uid : *known)
            if (imap::contains(wanted, uid)) uids.push_back(uid);
        return imap::to_ranges(uids);
    }
    const mailbox::Uid last = view.next_uid() - 1;
    for (Range range : wanted) {
        range.first = std::max(range.first, floor + 1);
        range.last = std::min(range.last, last);
        if (range.first <= range.last) add_missing(view, range, out);
    }
    return out;
}

mailbox::Uid matched_up_to(const mailbox::View& view, const imap::Qresync& known) {
    constexpr std::size_t kMaxPairs = 10000;
    const auto seqs = numbers_of(known.match_seqs, kMaxPairs);
    const auto uids = numbers_of(known.match_uids, kMaxPairs);
    mailbox::Uid matched = 0;
    for (std::size_t i = 0; i < std::min(seqs.size(), uids.size()); ++i)
        if (seqs[i] <= view.count() && view.message(seqs[i]).uid == uids[i]) matched = uids[i];
    return matched;
}

std::string vanished_line(const std::vector<Range>& uids, bool earlier) {
    return cat({"* VANISHED ", earlier ? "(EARLIER) " : "", imap::format_set(uids), "\r\n"});
}

std::string highest_modseq_code(std::uint64_t modseq) {
    return cat({"[HIGHESTMODSEQ ", std::to_string(modseq), "] "});
}

}  // namespace postern::imapd
