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
        header,  // field, text
        body,    // text
        text,    // text
        and_,    // children
        or_,     // two children
        not_,    // one child
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

// Makes all texts UTF-8 from the charset, in the folded form in which messages are compared
// (mail::fold_for_search). Errc::not_found for an unknown charset.
Result<void> convert_texts(SearchKey& key, const std::string& charset);

}  // namespace postern::imap
