#include "lib/mailbox/prepare_new.h"

#include <algorithm>

#include "lib/mail/mime.h"
#include "lib/mail/transfer_encoding.h"
#include "lib/mailbox/summary.h"

namespace postern::mailbox {

namespace {

// The first message that is worth it.
std::uint32_t first_of(View& view, Uid added) {
    const std::uint32_t count = view.count();
    std::uint32_t seq = count + 1;
    while (seq > 1 && !view.cached(seq - 1)) --seq;
    if (seq > 1 || count <= kMostPrepared) return seq;
    seq = count - kMostPrepared + 1;
    if (added != 0) seq = std::min(seq, view.seq_at_or_after(added));
    while (seq > 1 && view.message(seq - 1).recent) --seq;
    return seq;
}

}  // namespace

Result<std::size_t> prepare_new(const Mailbox& box, std::size_t limit, Uid added) {
    const auto log = box.environment().fs->info(box.path() + "/postern.log");
    if (!log && log.error().code == Errc::not_found) return std::size_t{0};
    if (!log) return Error(log.error());
    TRY_ASSIGN(const auto view, box.open(Access::read_only));
    std::size_t done = 0;
    for (std::uint32_t seq = first_of(*view, added); seq <= view->count() && done < limit; ++seq) {
        const auto size = view->crlf_size(seq);
        if (!size || *size > kLargestPrepared) continue;
        auto text = view->read(seq);
        if (!text && text.error().code == Errc::not_found) continue;
        if (!text) return std::move(text).error();
        const std::string wire = mail::is_wire_form(*text) ? *text : mail::to_wire_form(*text);
        view->remember(seq, summarize(wire, mail::parse_mime(wire)));
        ++done;
    }
    view->flush_cache();
    return done;
}

}  // namespace postern::mailbox
