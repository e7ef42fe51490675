// The arguments of SEARCH (RFC 3501 6.4.4, RFC 4731, RFC 5182, RFC 9394), SORT and THREAD (RFC
// 5256, RFC 5267, RFC 5957).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/fetch_item.h"
#include "lib/imap/mailbox_filter.h"
#include "lib/imap/parser.h"
#include "lib/imap/search_key.h"
#include "lib/imap/thread.h"

namespace postern::imap {

inline constexpr std::size_t kMaxSortKeys = 50;

// Some of a list's members, counted from 1, or from the end with negative numbers (RFC 9394 3.1).
// Both of one sign; the first is the one nearer to where counting begins.
struct PartialRange {
    std::int64_t first = 0, last = 0;

    // The members of a list of `size`: [begin, end).
    struct Window {
        std::size_t begin = 0, end = 0;
    };
    Window window(std::size_t size) const;
    // How many members it asks for.
    std::size_t size() const {
        return static_cast<std::size_t>((first < last ? last - first : first - last) + 1);
    }
    std::string str() const;  // "1:100", as it was written
};
Result<PartialRange> parse_partial_range(Parser& parser);

// What a SEARCH is to return.
struct ReturnOptions {
    bool given = false;  // "RETURN (...)": the answer is an ESEARCH response
    bool min = false, max = false, all = false, count = false, save = false;
    bool update = false;                  // RFC 5267 4.3: tell what changes
    std::vector<FetchItem> update_items;  // RFC 5465 7: and this of messages that are new
    bool context = false;                 // RFC 5267 4.2: a hint, of no use here
    bool relevancy = false;               // RFC 6203 4
    std::optional<PartialRange> partial;
    bool says_something() const { return min || max || all || count || partial || relevancy; }
};

struct SearchArguments {
    ReturnOptions options;
    std::string charset;  // empty: not given
    SearchKey key;
};

// ESEARCH of RFC 7377: several mailboxes at once.
struct EsearchArguments {
    std::vector<MailboxFilter> filters;  // none: the selected one
    SearchArguments search;
};

struct SortKey {
    enum class Kind : unsigned char {
        arrival,
        cc,
        date,
        display_from,
        display_to,
        from,
        relevancy,  // RFC 6203 5
        size,
        subject,
        to,
    };
    Kind kind = Kind::arrival;
    bool reverse = false;
};
struct SortArguments {
    std::vector<SortKey> keys;
    SearchArguments search;
};

struct ThreadArguments {
    ThreadAlgorithm algorithm = ThreadAlgorithm::references;
    SearchArguments search;
};

// After the command's name.
Result<SearchArguments> parse_search_arguments(Parser& parser);
Result<EsearchArguments> parse_esearch_arguments(Parser& parser);
Result<SortArguments> parse_sort_arguments(Parser& parser);
Result<ThreadArguments> parse_thread_arguments(Parser& parser);

}  // namespace postern::imap
