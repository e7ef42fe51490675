#include "lib/imap/search_key.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "lib/base/strings.h"
#include "lib/mail/charset.h"
#include "lib/mail/date.h"

namespace postern::imap {
namespace {

using KeyKind = SearchKey::Kind;

// What follows the name of a key.
enum class Takes : unsigned char { nothing, text, day, number, interval, keyword, uid };

struct KeyRow {
    std::string_view name;
    KeyKind kind;
    Takes takes = Takes::nothing;
    std::string_view word = {};  // the flag, or the header field
    bool negated = false;
};

constexpr KeyRow kKeyRows[] = {
    {"ALL", KeyKind::all},
    {"ANSWERED", KeyKind::flag, Takes::nothing, "\\Answered"},
    {"BCC", KeyKind::header, Takes::text, "Bcc"},
    {"BEFORE", KeyKind::before, Takes::day},
    {"BODY", KeyKind::body, Takes::text},
    {"CC", KeyKind::header, Takes::text, "Cc"},
    {"DELETED", KeyKind::flag, Takes::nothing, "\\Deleted"},
    {"DRAFT", KeyKind::flag, Takes::nothing, "\\Draft"},
    {"EMAILID", KeyKind::email_id, Takes::keyword},
    {"FLAGGED", KeyKind::flag, Takes::nothing, "\\Flagged"},
    {"FROM", KeyKind::header, Takes::text, "From"},
    {"KEYWORD", KeyKind::flag, Takes::keyword},
    {"LARGER", KeyKind::larger, Takes::number},
    {"NEW", KeyKind::new_},
    {"OLD", KeyKind::old},
    {"OLDER", KeyKind::older, Takes::interval},
    {"ON", KeyKind::on, Takes::day},
    {"RECENT", KeyKind::recent},
    {"SAVEDATESUPPORTED", KeyKind::save_date_supported},
    {"SAVEDBEFORE", KeyKind::saved_before, Takes::day},
    {"SAVEDON", KeyKind::saved_on, Takes::day},
    {"SAVEDSINCE", KeyKind::saved_since, Takes::day},
    {"SEEN", KeyKind::flag, Takes::nothing, "\\Seen"},
    {"SENTBEFORE", KeyKind::sent_before, Takes::day},
    {"SENTON", KeyKind::sent_on, Takes::day},
    {"SENTSINCE", KeyKind::sent_since, Takes::day},
    {"SINCE", KeyKind::since, Takes::day},
    {"SMALLER", KeyKind::smaller, Takes::number},
    {"SUBJECT", KeyKind::header, Takes::text, "Subject"},
    {"TEXT", KeyKind::text, Takes::text},
    {"THREADID", KeyKind::thread_id, Takes::keyword},
    {"TO", KeyKind::header, Takes::text, "To"},
    {"UIDAFTER", KeyKind::uid_set, Takes::uid},
    {"UIDBEFORE", KeyKind::uid_set, Takes::uid},
    {"UNANSWERED", KeyKind::flag, Takes::nothing, "\\Answered", true},
    {"UNDELETED", KeyKind::flag, Takes::nothing, "\\Deleted", true},
    {"UNDRAFT", KeyKind::flag, Takes::nothing, "\\Draft", true},
    {"UNFLAGGED", KeyKind::flag, Takes::nothing, "\\Flagged", true},
    {"UNKEYWORD", KeyKind::flag, Takes::keyword, {}, true},
    {"UNSEEN", KeyKind::flag, Takes::nothing, "\\Seen", true},
    {"YOUNGER", KeyKind::younger, Takes::interval},
};

SearchKey negate(SearchKey key) {
    SearchKey out;
    out.kind = KeyKind::not_;
    out.children.push_back(std::move(key));
    return out;
}

// Not "25001:*", which the newest message is always in.
std::vector<Range> after(std::uint32_t uid) {
    constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();
    return uid == kLast ? std::vector<Range>() : std::vector<Range>{{uid + 1, kLast}};
}

std::vector<Range> before(std::uint32_t uid) {
    return uid == 1 ? std::vector<Range>() : std::vector<Range>{{1, uid - 1}};
}

Result<std::int64_t> parse_day(Parser& parser) {
    const bool quoted = parser.eat('"');  // RFC 3501 9: date-text may be quoted
    TRY_ASSIGN(const std::string_view word, parser.word());
    if (quoted) TRY(parser.expect('"'));
    const auto date = mail::parse_imap_date(word);
    if (!date) return bad("Invalid date");
    return mail::days_from_civil(*date);
}

class KeyParser {
  public:
    explicit KeyParser(Parser& parser) : parser_(parser) {}

    Result<SearchKey> conjunction(int depth) {
        SearchKey all;
        all.kind = KeyKind::and_;
        do {
            TRY_ASSIGN(SearchKey key, one(depth));
            all.children.push_back(std::move(key));
        } while (parser_.eat(' ') && !parser_.at_end());
        if (all.children.size() > 1) return all;
        SearchKey only = std::move(all.children.front());
        return only;
    }

  private:
    Result<SearchKey> one(int depth) {
        if (depth > kMaxSearchDepth || ++keys_ > kMaxSearchKeys)
            return bad("Search is too complex");
        if (parser_.eat('(')) {
            TRY_ASSIGN(SearchKey key, conjunction(depth + 1));
            TRY(parser_.expect(')'));
            return key;
        }
        const char next = parser_.peek();
        if (is_digit(next) || next == '*' || next == '$') return set(KeyKind::set);
        TRY_ASSIGN(const std::string_view name, parser_.word());
        if (iequals(name, "NOT")) return negation(depth);
        if (iequals(name, "OR")) return disjunction(depth);
        if (iequals(name, "FUZZY")) return fuzzy(depth);
        if (iequals(name, "UID")) {
            TRY(parser_.space());
            return set(KeyKind::uid_set);
        }
        if (iequals(name, "HEADER")) return header();
        if (iequals(name, "MODSEQ")) return modseq();
        return simple(name);
    }

    Result<SearchKey> negation(int depth) {
        TRY(parser_.space());
        TRY_ASSIGN(SearchKey key, one(depth + 1));
        return negate(std::move(key));
    }

    Result<SearchKey> fuzzy(int depth) {
        SearchKey out;
        out.kind = KeyKind::fuzzy;
        TRY(parser_.space());
        TRY_ASSIGN(SearchKey key, one(depth + 1));
        out.children.push_back(std::move(key));
        return out;
    }

    Result<SearchKey> disjunction(int depth) {
        SearchKey out;
        out.kind = KeyKind::or_;
        for (int i = 0; i < 2; ++i) {
            TRY(parser_.space());
            TRY_ASSIGN(SearchKey key, one(depth + 1));
            out.children.push_back(std::move(key));
        }
        return out;
    }

    Result<SearchKey> set(KeyKind kind) {
        SearchKey key;
        key.kind = kind;
        TRY_ASSIGN(key.set, parser_.sequence_set());
        return key;
    }

    Result<SearchKey> header() {
        SearchKey key;
        key.kind = KeyKind::header;
        TRY(parser_.space());
        TRY_ASSIGN(key.field, parser_.astring());
        TRY(parser_.space());
        TRY_ASSIGN(key.text, parser_.astring());
        return key;
    }

    // RFC 7162 3.1.5: MODSEQ ["/flags/\\draft" all] 620162338. One mod-sequence per message is
    // kept, which answers for every flag of it.
    Result<SearchKey> modseq() {
        TRY(parser_.space());
        if (parser_.peek() == '"') {
            TRY_ASSIGN(const std::string entry, parser_.string());
            if (!istarts_with(entry, "/flags/")) return bad("Invalid MODSEQ entry name");
            TRY(parser_.space());
            TRY_ASSIGN(const std::string_view type, parser_.word());
            if (!iequals(type, "priv") && !iequals(type, "shared") && !iequals(type, "all"))
                return bad("Invalid MODSEQ entry type");
            TRY(parser_.space());
        }
        SearchKey key;
        key.kind = KeyKind::modseq;
        TRY_ASSIGN(key.number, parser_.mod_sequence());
        return key;
    }

    Result<SearchKey> simple(std::string_view name) {
        for (const KeyRow& row : kKeyRows) {
            if (!iequals(row.name, name)) continue;
            TRY_ASSIGN(SearchKey key, argument(row));
            if (row.negated) return negate(std::move(key));
            return key;
        }
        return bad("Unknown search key " + printable(name, 40));
    }

    Result<SearchKey> argument(const KeyRow& row) {
        SearchKey key;
        key.kind = row.kind;
        (row.kind == KeyKind::header ? key.field : key.text) = row.word;
        if (row.takes == Takes::nothing) return key;
        TRY(parser_.space());
        switch (row.takes) {
            case Takes::nothing: break;
            case Takes::text: {
                TRY_ASSIGN(key.text, parser_.astring());
                break;
            }
            case Takes::keyword: {
                TRY_ASSIGN(const std::string_view word, parser_.atom());
                key.text = word;
                break;
            }
            case Takes::day: {
                TRY_ASSIGN(key.day, parse_day(parser_));
                break;
            }
            case Takes::number: {
                TRY_ASSIGN(key.number, parser_.number64());
                break;
            }
            case Takes::interval: {  // RFC 5032 3: nz-number
                TRY_ASSIGN(key.number, parser_.nz_number());
                break;
            }
            case Takes::uid: {  // RFC 9738 3.6
                TRY_ASSIGN(const std::uint32_t uid, parser_.nz_number());
                key.set = SequenceSet::of(iequals(row.name, "UIDAFTER") ? after(uid) : before(uid));
                break;
            }
        }
        return key;
    }

    Parser& parser_;
    std::size_t keys_ = 0;
};

bool has_text(const SearchKey& key) {
    return key.kind == KeyKind::header || key.kind == KeyKind::body || key.kind == KeyKind::text;
}

// Shorter words are taken whole: too much would match.
constexpr std::size_t kMinStem = 4;

std::string_view stem_of(std::string_view word) {
    if (word.size() <= kMinStem) return word;
    while ((static_cast<unsigned char>(word.back()) & 0xC0) == 0x80) word.remove_suffix(1);
    word.remove_suffix(1);
    return word;
}

// Nobody types more words; a text that has more is not made of what somebody looks for.
constexpr std::size_t kMaxFuzzyWords = 50;

// The key of a text as the conjunction of those of its words, each once.
SearchKey loosened(SearchKey key, Fuzz fuzz) {
    if (key.kind == KeyKind::fuzzy) return loosened(std::move(key.children.front()), fuzz);
    for (SearchKey& child : key.children) child = loosened(std::move(child), fuzz);
    if (!has_text(key) || fuzz == Fuzz::exact) return key;
    std::vector<std::string> words;
    for (const std::string_view whole : split_words(key.text)) {
        const auto word = fuzz == Fuzz::stems ? stem_of(whole) : whole;
        if (std::find(words.begin(), words.end(), word) != words.end()) continue;
        if (words.size() == kMaxFuzzyWords) return key;
        words.emplace_back(word);
    }
    if (words.empty()) return key;
    SearchKey all;
    all.kind = KeyKind::and_;
    key.text.clear();
    for (std::string& word : words) {
        all.children.push_back(key);
        all.children.back().text = std::move(word);
    }
    return all;
}

}  // namespace

SearchKey without_fuzzy(SearchKey key, Fuzz fuzz) {
    if (key.kind == KeyKind::fuzzy) return loosened(std::move(key.children.front()), fuzz);
    for (SearchKey& child : key.children) child = without_fuzzy(std::move(child), fuzz);
    return key;
}

Result<SearchKey> parse_search_keys(Parser& parser) { return KeyParser(parser).conjunction(0); }

bool has_key(const SearchKey& key, SearchKey::Kind kind) {
    if (key.kind == kind) return true;
    for (const SearchKey& child : key.children)
        if (has_key(child, kind)) return true;
    return false;
}

bool has_numbers(const SearchKey& key) {
    if (key.kind == KeyKind::set && !key.set.is_saved_result()) return true;
    return std::any_of(key.children.begin(), key.children.end(), has_numbers);
}

bool has_saved_result(const SearchKey& key) {
    return key.set.is_saved_result() ||
           std::any_of(key.children.begin(), key.children.end(), has_saved_result);
}

void replace_saved_result(SearchKey& key, const std::vector<Range>& uids) {
    if (key.set.is_saved_result()) {
        key.kind = KeyKind::uid_set;
        key.set = SequenceSet::of(uids);
    }
    for (SearchKey& child : key.children) replace_saved_result(child, uids);
}

Result<void> convert_texts(SearchKey& key, const std::string& charset) {
    if (has_text(key)) {
        // Without CHARSET strings are US-ASCII; clients that send UTF-8 all the same are
        // understood.
        auto text = charset.empty() ? mail::guess_utf8(key.text) : mail::to_utf8(charset, key.text);
        if (!text) return Error{Errc::not_found, "Unknown charset"};
        key.text = mail::fold_for_search(*text);
    }
    for (SearchKey& child : key.children) TRY(convert_texts(child, charset));
    return {};
}

}  // namespace postern::imap
