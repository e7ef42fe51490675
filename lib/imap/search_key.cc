#include "lib/imap/search_key.h"

#include <iterator>

#include "lib/base/strings.h"
#include "lib/mail/charset.h"
#include "lib/mail/date.h"

namespace postern::imap {
namespace {

using Kind = SearchKey::Kind;

// What follows the name of a key.
enum class Takes : unsigned char { nothing, text, day, number, interval, keyword };

struct Row {
    std::string_view name;
    Kind kind;
    Takes takes = Takes::nothing;
    std::string_view word = {};  // the flag, or the header field
    bool negated = false;
};

constexpr Row kRows[] = {
    {"ALL", Kind::all},
    {"ANSWERED", Kind::flag, Takes::nothing, "\\Answered"},
    {"BCC", Kind::header, Takes::text, "Bcc"},
    {"BEFORE", Kind::before, Takes::day},
    {"BODY", Kind::body, Takes::text},
    {"CC", Kind::header, Takes::text, "Cc"},
    {"DELETED", Kind::flag, Takes::nothing, "\\Deleted"},
    {"DRAFT", Kind::flag, Takes::nothing, "\\Draft"},
    {"EMAILID", Kind::email_id, Takes::keyword},
    {"FLAGGED", Kind::flag, Takes::nothing, "\\Flagged"},
    {"FROM", Kind::header, Takes::text, "From"},
    {"KEYWORD", Kind::flag, Takes::keyword},
    {"LARGER", Kind::larger, Takes::number},
    {"NEW", Kind::new_},
    {"OLD", Kind::old},
    {"OLDER", Kind::older, Takes::interval},
    {"ON", Kind::on, Takes::day},
    {"RECENT", Kind::recent},
    {"SAVEDATESUPPORTED", Kind::save_date_supported},
    {"SAVEDBEFORE", Kind::saved_before, Takes::day},
    {"SAVEDON", Kind::saved_on, Takes::day},
    {"SAVEDSINCE", Kind::saved_since, Takes::day},
    {"SEEN", Kind::flag, Takes::nothing, "\\Seen"},
    {"SENTBEFORE", Kind::sent_before, Takes::day},
    {"SENTON", Kind::sent_on, Takes::day},
    {"SENTSINCE", Kind::sent_since, Takes::day},
    {"SINCE", Kind::since, Takes::day},
    {"SMALLER", Kind::smaller, Takes::number},
    {"SUBJECT", Kind::header, Takes::text, "Subject"},
    {"TEXT", Kind::text, Takes::text},
    {"THREADID", Kind::thread_id, Takes::keyword},
    {"TO", Kind::header, Takes::text, "To"},
    {"UNANSWERED", Kind::flag, Takes::nothing, "\\Answered", true},
    {"UNDELETED", Kind::flag, Takes::nothing, "\\Deleted", true},
    {"UNDRAFT", Kind::flag, Takes::nothing, "\\Draft", true},
    {"UNFLAGGED", Kind::flag, Takes::nothing, "\\Flagged", true},
    {"UNKEYWORD", Kind::flag, Takes::keyword, {}, true},
    {"UNSEEN", Kind::flag, Takes::nothing, "\\Seen", true},
    {"YOUNGER", Kind::younger, Takes::interval},
};

SearchKey negate(SearchKey key) {
    SearchKey out;
    out.kind = Kind::not_;
    out.children.push_back(std::move(key));
    return out;
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
        all.kind = Kind::and_;
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
        if (is_digit(next) || next == '*' || next == '$') return set(Kind::set);
        TRY_ASSIGN(const std::string_view name, parser_.word());
        if (iequals(name, "NOT")) return negation(depth);
        if (iequals(name, "OR")) return disjunction(depth);
        if (iequals(name, "UID")) {
            TRY(parser_.space());
            return set(Kind::uid_set);
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

    Result<SearchKey> disjunction(int depth) {
        SearchKey out;
        out.kind = Kind::or_;
        for (int i = 0; i < 2; ++i) {
            TRY(parser_.space());
            TRY_ASSIGN(SearchKey key, one(depth + 1));
            out.children.push_back(std::move(key));
        }
        return out;
    }

    Result<SearchKey> set(Kind kind) {
        SearchKey key;
        key.kind = kind;
        TRY_ASSIGN(key.set, parser_.sequence_set());
        return key;
    }

    Result<SearchKey> header() {
        SearchKey key;
        key.kind = Kind::header;
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
        key.kind = Kind::modseq;
        TRY_ASSIGN(key.number, parser_.mod_sequence());
        return key;
    }

    Result<SearchKey> simple(std::string_view name) {
        for (const Row& row : kRows) {
            if (!iequals(row.name, name)) continue;
            TRY_ASSIGN(SearchKey key, argument(row));
            if (row.negated) return negate(std::move(key));
            return key;
        }
        return bad("Unknown search key " + printable(name, 40));
    }

    Result<SearchKey> argument(const Row& row) {
        SearchKey key;
        key.kind = row.kind;
        (row.kind == Kind::header ? key.field : key.text) = row.word;
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
        }
        return key;
    }

    Parser& parser_;
    std::size_t keys_ = 0;
};

}  // namespace

Result<SearchKey> parse_search_keys(Parser& parser) { return KeyParser(parser).conjunction(0); }

bool has_key(const SearchKey& key, SearchKey::Kind kind) {
    if (key.kind == kind) return true;
    for (const SearchKey& child : key.children)
        if (has_key(child, kind)) return true;
    return false;
}

void replace_saved_result(SearchKey& key, const std::vector<Range>& uids) {
    if (key.set.is_saved_result()) {
        key.kind = Kind::uid_set;
        key.set = SequenceSet::of(uids);
    }
    for (SearchKey& child : key.children) replace_saved_result(child, uids);
}

Result<void> convert_texts(SearchKey& key, const std::string& charset) {
    if (key.kind == Kind::header || key.kind == Kind::body || key.kind == Kind::text) {
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
