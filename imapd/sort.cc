#include "imapd/sort.h"

#include <algorithm>

#include "imapd/header_source.h"
#include "lib/base/strings.h"
#include "lib/imap/base_subject.h"
#include "lib/mail/address_list.h"
#include "lib/mail/charset.h"
#include "lib/mail/date.h"
#include "lib/mail/encoded_word.h"
#include "lib/mail/header.h"

namespace postern::imapd {
namespace {

using imap::SortKey;
using OrderKind = SortKey::Kind;

// One key of one message: a number or a text.
struct Value {
    std::int64_t number = 0;
    std::string text;
    auto operator<=>(const Value&) const = default;
};

// RFC 5256 3: the mailbox of the first address
std::string first_mailbox(const std::vector<mail::ListedAddress>& list) {
    return list.empty() ? "" : imap::collated(list.front().local);
}

// RFC 5957 3: the name of the first address, or the address; a group's name is one too
std::string first_display(const std::vector<mail::ListedAddress>& list) {
    if (list.empty()) return "";
    const auto& first = list.front();
    if (first.kind == mail::ListedAddress::Kind::group_start) return imap::collated(first.local);
    const std::string name = mail::decode_words(first.name);
    if (!trim(name).empty()) return imap::collated(trim(name));
    return imap::collated(cat({first.local, "@", first.domain}));
}

class Facts {
  public:
    Facts(mailbox::View& view, MessageSource& source, const Relevancies* scores = nullptr)
        : view_(view), source_(source), scores_(scores) {}

    Result<std::string> field(std::uint32_t seq, std::string_view name) {
        TRY_ASSIGN(const std::string_view header, header_with(view_, source_, seq, name));
        return mail::field_text(header, name);
    }

    // RFC 5256 2.2: the INTERNALDATE where there is no usable Date
    Result<std::int64_t> sent_date(std::uint32_t seq) {
        TRY_ASSIGN(const std::string text, field(seq, "Date"));
        if (const auto date = mail::parse_date(text)) return date->seconds;
        return view_.internal_date(seq);
    }

    Result<std::vector<mail::ListedAddress>> addresses(std::uint32_t seq, std::string_view name) {
        TRY_ASSIGN(const std::string text, field(seq, name));
        return mail::parse_address_list(mail::guess_utf8(text));
    }

    Result<Value> value(std::uint32_t seq, OrderKind kind) {
        Value out;
        switch (kind) {
            case OrderKind::arrival: {
                TRY_ASSIGN(out.number, view_.internal_date(seq));
                break;
            }
            case OrderKind::relevancy:  // RFC 6203 5: the best first
                if (scores_ != nullptr && scores_->contains(seq)) out.number = -scores_->at(seq);
                break;
            case OrderKind::size: {
                TRY_ASSIGN(const std::uint64_t size, view_.crlf_size(seq));
                out.number = static_cast<std::int64_t>(size);
                break;
            }
            case OrderKind::date: {
                TRY_ASSIGN(out.number, sent_date(seq));
                break;
            }
            case OrderKind::subject: {
                TRY_ASSIGN(const std::string text, field(seq, "Subject"));
                out.text = imap::collated(imap::base_subject(text).text);
                break;
            }
            default: {
                TRY_ASSIGN(out.text, address(seq, kind));
                break;
            }
        }
        return out;
    }

  private:
    Result<std::string> address(std::uint32_t seq, OrderKind kind) {
        const bool from = kind == OrderKind::from || kind == OrderKind::display_from;
        const std::string_view name = from ? "From" : kind == OrderKind::cc ? "Cc" : "To";
        TRY_ASSIGN(const auto list, addresses(seq, name));
        const bool display = kind == OrderKind::display_from || kind == OrderKind::display_to;
        return display ? first_display(list) : first_mailbox(list);
    }

    mailbox::View& view_;
    MessageSource& source_;
    const Relevancies* scores_;
};

struct Sortable {
    std::uint32_t seq = 0;
    std::vector<Value> values;  // one per key
};

Result<Sortable> look_up(Facts& facts, std::uint32_t seq, const std::vector<SortKey>& keys) {
    Sortable out;
    out.seq = seq;
    for (const SortKey& key : keys) {
        TRY_ASSIGN(Value value, facts.value(seq, key.kind));
        out.values.push_back(std::move(value));
    }
    return out;
}

bool is_before(const Sortable& a, const Sortable& b, const std::vector<SortKey>& keys) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (a.values[i] == b.values[i]) continue;
        return (a.values[i] < b.values[i]) != keys[i].reverse;
    }
    return a.seq < b.seq;
}

Result<imap::ThreadMessage> thread_fact(Facts& facts, std::uint32_t seq) {
    imap::ThreadMessage out;
    TRY_ASSIGN(out.date, facts.sent_date(seq));
    TRY_ASSIGN(const std::string subject, facts.field(seq, "Subject"));
    imap::BaseSubject base = imap::base_subject(subject);
    out.subject = imap::collated(base.text);
    out.is_reply = base.is_reply;
    TRY_ASSIGN(const std::string id, facts.field(seq, "Message-ID"));
    auto ids = imap::message_ids(id);
    if (!ids.empty()) out.id = std::move(ids.front());
    TRY_ASSIGN(const std::string references, facts.field(seq, "References"));
    out.references = imap::message_ids(references);
    if (!out.references.empty()) return out;
    // RFC 5256 3: without References, the first id of In-Reply-To
    TRY_ASSIGN(const std::string reply, facts.field(seq, "In-Reply-To"));
    out.references = imap::message_ids(reply);
    if (out.references.size() > 1) out.references.resize(1);
    return out;
}

}  // namespace

Result<std::vector<std::uint32_t>> sort_messages(mailbox::View& view, MessageSource& source,
                                                 const std::vector<std::uint32_t>& seqs,
                                                 const std::vector<SortKey>& keys,
                                                 const Relevancies* scores) {
    Facts facts(view, source, scores);
    std::vector<Sortable> all;
    all.reserve(seqs.size());
    for (const std::uint32_t seq : seqs) {
        auto one = look_up(facts, seq, keys);
        if (!one && !source.passes_over(one.error())) return std::move(one).error();
        if (one) all.push_back(*std::move(one));
        // What cannot be read is there, and shown as if it said nothing.
        else if (one.error().code != Errc::not_found)
            all.push_back({seq, std::vector<Value>(keys.size())});
    }
    view.flush_cache();
    std::sort(all.begin(), all.end(),
              [&](const Sortable& a, const Sortable& b) { return is_before(a, b, keys); });
    std::vector<std::uint32_t> out;
    for (const Sortable& one : all) out.push_back(one.seq);
    return out;
}

Result<std::vector<imap::ThreadMessage>> thread_facts(mailbox::View& view, MessageSource& source,
                                                      const std::vector<std::uint32_t>& seqs,
                                                      bool uid) {
    Facts facts(view, source);
    std::vector<imap::ThreadMessage> out;
    for (const std::uint32_t seq : seqs) {
        auto one = thread_fact(facts, seq);
        if (!one && !source.passes_over(one.error())) return std::move(one).error();
        if (!one && one.error().code == Errc::not_found) continue;
        out.push_back(one ? *std::move(one) : imap::ThreadMessage());
        out.back().number = uid ? view.message(seq).uid : seq;
    }
    view.flush_cache();
    return out;
}

}  // namespace postern::imapd
