#include "imapd/search.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "imapd/header_source.h"
#include "imapd/message_text.h"
#include "imapd/thread_id.h"
#include "lib/base/strings.h"
#include "lib/imap/sequence_set.h"
#include "lib/log/log.h"
#include "lib/mail/address_list.h"
#include "lib/mail/charset.h"
#include "lib/mail/date.h"
#include "lib/mail/encoded_word.h"
#include "lib/mail/header.h"

namespace postern::imapd {
namespace {

using imap::SearchKey;
using KeyKind = SearchKey::Kind;

constexpr int kFree = 0, kStat = 1, kHeader = 2, kBody = 3;

int cost_of(const SearchKey& key) {
    switch (key.kind) {
        case KeyKind::before:
        case KeyKind::on:
        case KeyKind::since:
        case KeyKind::larger:
        case KeyKind::smaller:
        case KeyKind::older:
        case KeyKind::younger:
        case KeyKind::saved_before:
        case KeyKind::saved_on:
        case KeyKind::saved_since: return kStat;
        case KeyKind::header:
        case KeyKind::thread_id:
        case KeyKind::sent_before:
        case KeyKind::sent_on:
        case KeyKind::sent_since: return kHeader;
        case KeyKind::body:
        case KeyKind::text: return kBody;
        default: break;
    }
    int cost = kFree;
    for (const SearchKey& child : key.children) cost = std::max(cost, cost_of(child));
    return cost;
}

bool contains_folded(std::string_view utf8, const std::string& folded) {
    return mail::fold_for_search(utf8).find(folded) != std::string::npos;
}

std::int64_t local_day_of(std::int64_t seconds) {
    const std::time_t time = seconds;
    std::tm local{};
    ::localtime_r(&time, &local);
    return mail::local_day({seconds, static_cast<int>(local.tm_gmtoff / 60)});
}

// RFC 3501 6.4.4: FROM, TO, CC and BCC look into the envelope, where comments and odd white space
// are gone.
bool is_address_field(std::string_view name) {
    for (const auto known : {"From", "To", "Cc", "Bcc", "Sender", "Reply-To"}) {
        if (iequals(name, known)) return true;
    }
    return false;
}

std::string plain_addresses(std::string_view body) {
    std::string out;
    for (const auto& address : mail::parse_address_list(body)) {
        out +=
            cat({mail::decode_words(address.name), " <", address.local, "@", address.domain, "> "});
    }
    return out;
}

// An empty text is contained in every field, RFC 3501 6.4.4.
bool field_contains(const mail::HeaderField& field, const std::string& text) {
    if (contains_folded(mail::decode_words(field.body), text)) return true;
    return is_address_field(field.name) && contains_folded(plain_addresses(field.body), text);
}

// A key with what can be worked out once for all messages.
struct Node {
    SearchKey key;
    std::vector<imap::Range> ranges;  // set, uid_set
    mailbox::Flags flag;              // flag: one bit; none when no message can have it
    std::optional<fulltext::Candidates> candidates;  // body, text: of the index
    std::vector<Node> children;
};

// Nothing: the index cannot help.
std::optional<fulltext::Candidates> candidates_of(const SearchKey& key, const TextIndex& index) {
    const bool looks_into_text = key.kind == KeyKind::body || key.kind == KeyKind::text;
    if (!looks_into_text || key.text.empty() || !index.index) return std::nullopt;
    auto found = index.index->find(key.text, key.kind == KeyKind::text);
    if (!found) log::debug("", found.error().what);
    return found ? *std::move(found) : std::nullopt;
}

Node make_node(SearchKey key, mailbox::View& view, const TextIndex& index) {
    Node node;
    node.candidates = candidates_of(key, index);
    const mailbox::Uid last_uid = view.count() == 0 ? 0 : view.message(view.count()).uid;
    if (key.kind == KeyKind::set) node.ranges = key.set.resolve(view.count());
    if (key.kind == KeyKind::uid_set) node.ranges = key.set.resolve(last_uid);
    if (key.kind == KeyKind::flag) {
        if (const auto bit = mailbox::system_flag(key.text)) {
            node.flag.system = *bit;
        } else {
            for (std::size_t i = 0; i < view.keywords().size(); ++i) {
                if (iequals(view.keywords()[i], key.text))
                    node.flag.keywords = mailbox::KeywordBits{1} << i;
            }
        }
    }
    auto children = std::move(key.children);
    std::stable_sort(children.begin(), children.end(), [](const SearchKey& a, const SearchKey& b) {
        return cost_of(a) < cost_of(b);
    });
    for (SearchKey& child : children)
        node.children.push_back(make_node(std::move(child), view, index));
    node.key = std::move(key);
    return node;
}

class Matcher {
  public:
    Matcher(mailbox::View& view, MessageSource& source, TextIndex& index)
        : view_(view), source_(source), index_(index) {}

    Result<bool> matches(const Node& node, std::uint32_t seq) {
        const mailbox::Message& message = view_.message(seq);
        const bool seen = (message.flags.system & mailbox::kSeen) != 0;
        switch (node.key.kind) {
            case KeyKind::all: return true;
            case KeyKind::set: return imap::contains(node.ranges, seq);
            case KeyKind::uid_set: return imap::contains(node.ranges, message.uid);
            case KeyKind::flag:
                return (message.flags.system & node.flag.system) != 0 ||
                       (message.flags.keywords & node.flag.keywords) != 0;
            case KeyKind::recent: return message.recent;
            case KeyKind::new_: return message.recent && !seen;
            case KeyKind::old: return !message.recent;
            case KeyKind::before:
            case KeyKind::on:
            case KeyKind::since: return internal_date(node.key, seq);
            case KeyKind::sent_before:
            case KeyKind::sent_on:
            case KeyKind::sent_since: return sent_date(node.key, seq);
            case KeyKind::older:
            case KeyKind::younger: return age(node.key, seq);
            case KeyKind::saved_before:
            case KeyKind::saved_on:
            case KeyKind::saved_since: return saved_date(node.key, seq);
            case KeyKind::save_date_supported: return true;
            case KeyKind::modseq: return message.modseq >= node.key.number;  // RFC 7162 3.1.5
            case KeyKind::email_id: return view_.email_id(seq) == node.key.text;
            case KeyKind::thread_id: return thread(node.key, seq);
            case KeyKind::larger:
            case KeyKind::smaller: return size(node.key, seq);
            case KeyKind::header: return header(node.key, seq);
            case KeyKind::body:
            case KeyKind::text: return text(node, seq);
            case KeyKind::and_:
            case KeyKind::or_: return several(node, seq);
            case KeyKind::not_: return negated(node, seq);
            case KeyKind::fuzzy: return matches(node.children.front(), seq);
        }
        return false;
    }

  private:
    Result<bool> several(const Node& node, std::uint32_t seq) {
        const bool any = node.key.kind == KeyKind::or_;
        for (const Node& child : node.children) {
            TRY_ASSIGN(const bool match, matches(child, seq));
            if (match == any) return any;
        }
        return !any;
    }

    Result<bool> negated(const Node& node, std::uint32_t seq) {
        TRY_ASSIGN(const bool match, matches(node.children.front(), seq));
        return !match;
    }

    static bool compare(const SearchKey& key, std::int64_t day) {
        switch (key.kind) {
            case KeyKind::before:
            case KeyKind::saved_before:
            case KeyKind::sent_before: return day < key.day;
            case KeyKind::on:
            case KeyKind::saved_on:
            case KeyKind::sent_on: return day == key.day;
            default: return day >= key.day;
        }
    }

    Result<bool> internal_date(const SearchKey& key, std::uint32_t seq) {
        TRY_ASSIGN(const std::int64_t seconds, view_.internal_date(seq));
        return compare(key, local_day_of(seconds));
    }

    Result<bool> saved_date(const SearchKey& key, std::uint32_t seq) {
        TRY_ASSIGN(const std::int64_t seconds, view_.save_date(seq));
        return compare(key, local_day_of(seconds));
    }

    // RFC 5032 3: by INTERNALDATE, seconds before now
    Result<bool> age(const SearchKey& key, std::uint32_t seq) {
        TRY_ASSIGN(const std::int64_t seconds, view_.internal_date(seq));
        const std::int64_t limit = now_ - static_cast<std::int64_t>(key.number);
        return key.kind == KeyKind::older ? seconds <= limit : seconds >= limit;
    }

    Result<bool> sent_date(const SearchKey& key, std::uint32_t seq) {
        TRY_ASSIGN(const std::string_view header, header_with(view_, source_, seq, "Date"));
        const auto date = mail::parse_date(mail::field_text(header, "Date"));
        return date && compare(key, mail::local_day(*date));
    }

    Result<bool> thread(const SearchKey& key, std::uint32_t seq) {
        TRY_ASSIGN(const std::string id, thread_id(view_, source_, seq));
        return id == key.text;
    }

    Result<bool> size(const SearchKey& key, std::uint32_t seq) {
        TRY_ASSIGN(const std::uint64_t size, view_.crlf_size(seq));
        return key.kind == KeyKind::larger ? size > key.number : size < key.number;
    }

    Result<bool> header(const SearchKey& key, std::uint32_t seq) {
        TRY_ASSIGN(const std::string_view header, header_with(view_, source_, seq, key.field));
        mail::HeaderCursor cursor(header);
        while (const auto field = cursor.next()) {
            if (iequals(field->name, key.field) && field_contains(*field, key.text)) return true;
        }
        return false;
    }

    Result<bool> text(const Node& node, std::uint32_t seq) {
        const SearchKey& key = node.key;
        if (key.text.empty()) return true;
        const mailbox::Uid uid = view_.message(seq).uid;
        if (node.candidates && uid <= index_.covered) {
            if (is_among(node.candidates->sure, uid)) return true;
            if (!is_among(node.candidates->maybe, uid)) return false;
        }
        if (uid > index_.covered) ++index_.unindexed;
        return visit_texts(source_, seq, key.kind == KeyKind::text,
                           [&](fulltext::Place, const std::string& folded) {
                               return folded.find(key.text) != std::string::npos;
                           });
    }

    static bool is_among(const std::vector<mailbox::Uid>& uids, mailbox::Uid uid) {
        return std::binary_search(uids.begin(), uids.end(), uid);
    }

    mailbox::View& view_;
    MessageSource& source_;
    TextIndex& index_;
    std::int64_t now_ =
        std::chrono::duration_cast<Seconds>(SystemClock::instance().now().time_since_epoch())
            .count();
};

}  // namespace

Result<std::vector<std::uint32_t>> search(mailbox::View& view, MessageSource& source, SearchKey key,
                                          const SearchScope& scope) {
    constexpr std::size_t kStep = 64;  // messages between two words of progress
    TextIndex none;
    TextIndex& index = scope.index == nullptr ? none : *scope.index;
    const Node root =
        make_node(imap::without_fuzzy(std::move(key), imap::Fuzz::stems), view, index);
    Matcher matcher(view, source, index);
    std::vector<std::uint32_t> found;
    const std::size_t count = scope.among == nullptr ? view.count() : scope.among->size();
    for (std::size_t i = 0; i < count; ++i) {
        const auto seq =
            scope.among == nullptr ? static_cast<std::uint32_t>(i + 1) : (*scope.among)[i];
        if (scope.progress != nullptr && i % kStep == kStep - 1 && !(*scope.progress)(i, count))
            return Error{Errc::closed, "search: nobody waits for it any more", 0};
        auto match = matcher.matches(root, seq);
        if (!match && !source.passes_over(match.error())) return std::move(match).error();
        if (match && *match) found.push_back(seq);
    }
    view.flush_cache();
    return found;
}

Result<Relevancies> relevancies(mailbox::View& view, MessageSource& source, const SearchKey& key,
                                std::vector<std::uint32_t> found, TextIndex* index) {
    constexpr std::pair<imap::Fuzz, int> kScores[] = {{imap::Fuzz::words, 66},
                                                      {imap::Fuzz::exact, 100}};
    Relevancies out;
    for (const std::uint32_t seq : found) out[seq] = 33;
    std::sort(found.begin(), found.end());
    for (const auto& [fuzz, score] : kScores) {
        TRY_ASSIGN(const auto better,
                   search(view, source, imap::without_fuzzy(key, fuzz), {&found, nullptr, index}));
        for (const std::uint32_t seq : better) out[seq] = score;
    }
    return out;
}

}  // namespace postern::imapd
