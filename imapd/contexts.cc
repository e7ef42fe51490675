#include "imapd/contexts.h"

#include <algorithm>
#include <functional>
#include <set>

#include "imapd/search.h"
#include "imapd/sort.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"
#include "lib/imap/sequence_set.h"

namespace postern::imapd {
namespace {

using Uid = mailbox::Uid;
using ShownNumber = std::function<std::uint32_t(Uid)>;

// "(TAG \"B01\") UID REMOVEFROM (0 32768)"
std::string response_line(const SearchContext& context, std::string_view verb,
                          const std::string& what) {
    return cat({"* ESEARCH (", context.correlator, context.uid ? ") UID " : ") ", verb, " (", what,
                ")\r\n"});
}

// RFC 5267 4.3.3: positions count from 1 in a sorted result, each as it is after the ones before
// it; a SEARCH result is in the mailbox's order and needs none.
class Moves {
  public:
    explicit Moves(bool sorted) : sorted_(sorted) {}
    // `step`: by how much the position differs from the last one's when the two go together.
    void add(std::size_t position, std::uint32_t number, std::size_t step) {
        const bool joins = !numbers_.empty() && (!sorted_ || position == last_ + step);
        if (!joins) flush();
        if (numbers_.empty()) first_ = position;
        numbers_.push_back(number);
        last_ = position;
    }
    std::string str() {
        flush();
        return out_;
    }

  private:
    void flush() {
        if (numbers_.empty()) return;
        if (!out_.empty()) out_ += ' ';
        out_ += cat({std::to_string(sorted_ ? first_ : 0), " ", imap::format_set(numbers_)});
        numbers_.clear();
    }

    bool sorted_;
    std::vector<std::uint32_t> numbers_;
    std::size_t first_ = 0, last_ = 0;
    std::string out_;
};

// Takes these out of the result.
std::string remove_from(SearchContext& context, const std::set<Uid>& gone,
                        const ShownNumber& number) {
    Moves moves(!context.order.empty());
    std::vector<Uid> left;
    for (const Uid uid : context.found) {
        if (gone.contains(uid))
            moves.add(left.size() + 1, number(uid), 0);
        else
            left.push_back(uid);
    }
    if (left.size() == context.found.size()) return "";
    context.found = std::move(left);
    return response_line(context, "REMOVEFROM", moves.str());
}

// The result as it is now, with these in it that were not.
std::string add_to(SearchContext& context, std::vector<Uid> now, const std::set<Uid>& fresh,
                   const ShownNumber& number) {
    Moves moves(!context.order.empty());
    for (std::size_t i = 0; i < now.size(); ++i)
        if (fresh.contains(now[i])) moves.add(i + 1, number(now[i]), 1);
    context.found = std::move(now);
    return response_line(context, "ADDTO", moves.str());
}

std::vector<Uid> uids_of(const mailbox::View& view, const std::vector<std::uint32_t>& seqs) {
    std::vector<Uid> out;
    out.reserve(seqs.size());
    for (const std::uint32_t seq : seqs) out.push_back(view.message(seq).uid);
    return out;
}

Result<std::vector<Uid>> in_order(const SearchContext& context, std::vector<Uid> uids,
                                  mailbox::View& view, MessageSource& source) {
    std::sort(uids.begin(), uids.end());
    if (context.order.empty()) return uids;
    std::vector<std::uint32_t> seqs;
    for (const Uid uid : uids)
        if (const std::uint32_t seq = view.seq_of(uid); seq != 0) seqs.push_back(seq);
    TRY_ASSIGN(const auto sorted, sort_messages(view, source, seqs, context.order));
    return uids_of(view, sorted);
}

Result<void> update_one(SearchContext& context, const std::vector<std::uint32_t>& changed,
                        mailbox::View& view, MessageSource& source, Uid first_new,
                        SearchContexts::Update& out) {
    TRY_ASSIGN(const auto matching, search(view, source, context.key, {&changed, nullptr}));
    const std::vector<Uid> match = uids_of(view, matching);
    const std::set<Uid> matches(match.begin(), match.end());
    const std::set<Uid> before(context.found.begin(), context.found.end());
    std::set<Uid> gone, fresh;
    for (const std::uint32_t seq : changed) {
        const Uid uid = view.message(seq).uid;
        if (matches.contains(uid) == before.contains(uid)) continue;
        (matches.contains(uid) ? fresh : gone).insert(uid);
    }
    const auto number = [&](Uid uid) { return context.uid ? uid : view.seq_of(uid); };
    out.lines += remove_from(context, gone, number);
    if (fresh.empty()) return {};
    for (auto uid = fresh.lower_bound(first_new); uid != fresh.end(); ++uid)
        if (!context.new_items.empty()) join_items(out.items[*uid], context.new_items);
    std::vector<Uid> all = context.found;
    all.insert(all.end(), fresh.begin(), fresh.end());
    TRY_ASSIGN(std::vector<Uid> now, in_order(context, std::move(all), view, source));
    out.lines += add_to(context, std::move(now), fresh, number);
    return {};
}

}  // namespace

bool SearchContexts::add(SearchContext context) {
    if (contexts_.size() >= kMax) return false;
    contexts_.push_back(std::move(context));
    return true;
}

void SearchContexts::cancel(std::string_view tag) {
    std::erase_if(contexts_, [&](const SearchContext& context) { return context.tag == tag; });
}

bool SearchContexts::has(std::string_view tag) const {
    return std::any_of(contexts_.begin(), contexts_.end(),
                       [&](const SearchContext& context) { return context.tag == tag; });
}

std::string SearchContexts::without(const std::vector<Uid>& gone, const std::vector<Uid>& before) {
    const std::set<Uid> all(gone.begin(), gone.end());
    std::string out;
    for (SearchContext& context : contexts_) {
        const auto number = [&](Uid uid) {
            if (context.uid) return uid;
            const auto at = std::lower_bound(before.begin(), before.end(), uid);
            return static_cast<std::uint32_t>(at - before.begin()) + 1;
        };
        out += remove_from(context, all, number);
    }
    return out;
}

Result<SearchContexts::Update> SearchContexts::update(mailbox::View& view, MessageSource& source,
                                                      Uid first_new) {
    Update out;
    if (contexts_.empty() || view.highest_modseq() <= modseq_) return out;
    std::vector<std::uint32_t> changed;
    for (std::uint32_t seq = 1; seq <= view.count(); ++seq)
        if (view.message(seq).modseq > modseq_) changed.push_back(seq);
    modseq_ = view.highest_modseq();
    if (changed.empty()) return out;
    for (SearchContext& context : contexts_)
        TRY(update_one(context, changed, view, source, first_new, out));
    return out;
}

void join_items(std::vector<imap::FetchItem>& items, const std::vector<imap::FetchItem>& more) {
    for (const imap::FetchItem& item : more)
        if (std::none_of(items.begin(), items.end(),
                         [&](const imap::FetchItem& known) { return known.label == item.label; }))
            items.push_back(item);
}

void fix_numbers(imap::SearchKey& key, const mailbox::View& view) {
    if (key.kind == imap::SearchKey::Kind::set) {
        std::vector<Uid> uids;
        for (const imap::Range& range : key.set.resolve(view.count()))
            for (std::uint32_t seq = range.first; seq <= std::min(range.last, view.count()); ++seq)
                uids.push_back(view.message(seq).uid);
        key.kind = imap::SearchKey::Kind::uid_set;
        key.set = imap::SequenceSet::of(imap::to_ranges(uids));
    }
    for (imap::SearchKey& child : key.children) fix_numbers(child, view);
}

}  // namespace postern::imapd
