#include "lib/mailbox/prepare_new.h"

#include <algorithm>
#include <optional>

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

// Nothing for one that is large, is gone, or cannot be read: who asks for it is told why.
std::optional<Summary> summary_of(View& view, sys::Fs& fs, std::uint32_t seq) {
    const auto file = view.open(seq);
    if (!file) return {};
    const auto info = fs.info(file->get());
    if (!info || info->size > kLargestPrepared) return {};
    const auto text = view.read(seq);
    if (!text || text->size() > kLargestPrepared) return {};  // it may have been compressed
    const std::string wire = mail::is_wire_form(*text) ? *text : mail::to_wire_form(*text);
    auto summary = summarize(wire, mail::parse_mime(wire));
    if (summary.size() > kMaxSummary) return {};
    return summary;
}

}  // namespace

Result<void> PrepareNew::begin() {
    begun_ = true;
    const auto log = box_.environment().fs->info(box_.path() + "/postern.log");
    if (!log && log.error().code == Errc::not_found) return {};
    if (!log) return Error(log.error());
    TRY_ASSIGN(view_, box_.open(Access::read_only));
    next_ = first_of(*view_, added_);
    last_ = std::min(view_->count(), next_ + kMostAtAll - 1);
    return {};
}

Result<std::size_t> PrepareNew::go_on(std::size_t limit) {
    if (!begun_) TRY(begin());
    std::size_t done = 0;
    for (std::size_t looked_at = 0; !is_over() && looked_at < limit; ++looked_at) {
        const std::uint32_t seq = next_++;
        if (const auto summary = summary_of(*view_, *box_.environment().fs, seq)) {
            view_->remember(seq, *summary);
            ++done;
            in_vain_ = 0;
        } else if (++in_vain_ == kMostInVain) {
            last_ = seq;
        }
    }
    auto written = view_ ? view_->write_cache() : Result<void>();
    if (!written) return std::move(written).error().within(box_.path());
    return done;
}

}  // namespace postern::mailbox
