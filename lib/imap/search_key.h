// The tree of a SEARCH command, RFC 3501 6.4.4. Strings are in the command's charset here;
// convert() makes them UTF-8, folded for comparison.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/parser.h"
#include "lib/imap/sequence_set.h"

namespace postern::imap {

inline constexpr int kMaxSearchDepth = 50;
inline constexpr std::size_t kMaxSearchKeys = 2000;

struct SearchKey {
    enum class Kind : unsigned char {
        all,
        set,      // set
        uid_set,  // set
        flag,     // text: "\Seen" or a keyword; negated by `not_`
        recent,
        new_,    // RECENT and not SEEN
        old,     // not RECENT
        before,  // day: INTERNALDATE
        on,
        since,
        sent_before,  // day: the Date field
        sent_on,
        sent_since,
        larger,  // number
        smaller,
        older,  // number: seconds, RFC 5032
        younger,
        modseq,        // number, RFC 7162
        saved_before,  // day: SAVEDATE, RFC 8514
        saved_on,
        saved_since,
        save_date_supported,
        email_id,  // text, RFC 8474
        thread_id,
        header,  // field, text
        body,    // text
        text,    // text
        and_,    // children
        or_,     // two children
        not_,    // one child
        fuzzy,   // one child, RFC 6203
    };

    Kind kind = Kind::all;
    std::int64_t day = 0;  // days since the epoch
    std::uint64_t number = 0;
    SequenceSet set;
    std::string field;
    std::string text;
    std::vector<SearchKey> children;
};

// The keys up to the end of the text or to ")": an implicit conjunction.
Result<SearchKey> parse_search_keys(Parser& parser);

// Is there a key of this kind anywhere in the tree?
bool has_key(const SearchKey& key, SearchKey::Kind kind);

bool has_numbers(const SearchKey& key);       // sequence numbers anywhere in the tree
bool has_saved_result(const SearchKey& key);  // "$"

// Puts UIDs in the place of every "$" (RFC 5182).
void replace_saved_result(SearchKey& key, const std::vector<Range>& uids);

// How texts under FUZZY (RFC 6203) are compared: as they stand; each word by itself, in any order;
// words without their last letter, which forgives endings.
enum class Fuzz : unsigned char { exact, words, stems };
// The key without FUZZY, texts under it taken so. After convert_texts().
SearchKey without_fuzzy(SearchKey key, Fuzz fuzz);

// Makes all texts UTF-8 from the charset, in the folded form in which messages are compared
// (mail::fold_for_search). Errc::not_found for an unknown charset.
Result<void> convert_texts(SearchKey& key, const std::string& charset);

}  // namespace postern::imap
