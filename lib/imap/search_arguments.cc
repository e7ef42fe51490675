#include "lib/imap/search_arguments.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"

namespace postern::imap {
namespace {

constexpr std::size_t kMaxFilters = 100;

constexpr std::pair<std::string_view, SortKey::Kind> kSortKeys[] = {
    {"ARRIVAL", SortKey::Kind::arrival},
    {"CC", SortKey::Kind::cc},
    {"DATE", SortKey::Kind::date},
    {"DISPLAYFROM", SortKey::Kind::display_from},
    {"DISPLAYTO", SortKey::Kind::display_to},
    {"FROM", SortKey::Kind::from},
    {"RELEVANCY", SortKey::Kind::relevancy},
    {"SIZE", SortKey::Kind::size},
    {"SUBJECT", SortKey::Kind::subject},
    {"TO", SortKey::Kind::to},
};

Result<void> parse_return_option(Parser& parser, ReturnOptions& out) {
    TRY_ASSIGN(const std::string_view word, parser.word());
    if (iequals(word, "MIN")) {
        out.min = true;
    } else if (iequals(word, "MAX")) {
        out.max = true;
    } else if (iequals(word, "ALL")) {
        out.all = true;
    } else if (iequals(word, "COUNT")) {
        out.count = true;
    } else if (iequals(word, "SAVE")) {  // RFC 5182 2.1
        out.save = true;
    } else if (iequals(word, "UPDATE")) {
        out.update = true;
        if (!parser.rest().starts_with(" (")) return {};
        TRY(parser.space());
        TRY_ASSIGN(out.update_items, parse_fetch_items(parser));
    } else if (iequals(word, "CONTEXT")) {
        out.context = true;
    } else if (iequals(word, "RELEVANCY")) {
        out.relevancy = true;
    } else if (iequals(word, "PARTIAL")) {
        if (out.partial) return bad("PARTIAL is there twice");
        TRY(parser.space());
        TRY_ASSIGN(out.partial, parse_partial_range(parser));
    } else {
        return bad("Unknown SEARCH return option " + printable(word, 40));
    }
    return {};
}

// "RETURN (...) ", if it is there. RFC 4731 3.1: RETURN () is RETURN (ALL)
Result<ReturnOptions> parse_return_options(Parser& parser) {
    ReturnOptions out;
    if (!istarts_with(parser.rest(), "RETURN (")) return out;
    TRY(parser.word());
    TRY(parser.space());
    out.given = true;
    TRY(parser.expect('('));
    while (!parser.eat(')')) {
        TRY(parse_return_option(parser, out));
        if (parser.peek() != ')') TRY(parser.space());
    }
    TRY(parser.space());
    out.all = out.all || !(out.says_something() || out.save || out.update);
    // RFC 9394 3.1
    if (out.all && out.partial) return bad("ALL and PARTIAL exclude each other");
    return out;
}

Result<std::int64_t> parse_position(Parser& parser, bool negative) {
    if (parser.eat('-') != negative) return bad("Invalid partial range");
    TRY_ASSIGN(const std::uint32_t number, parser.nz_number());
    return negative ? -std::int64_t{number} : std::int64_t{number};
}

// RFC 5256 5: the charset is not optional
Result<SearchArguments> parse_charset_and_keys(Parser& parser) {
    SearchArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.charset, parser.astring());
    TRY(parser.space());
    TRY_ASSIGN(out.key, parse_search_keys(parser));
    return out;
}

Result<SortKey> parse_sort_key(Parser& parser) {
    SortKey out;
    TRY_ASSIGN(std::string_view word, parser.word());
    if (iequals(word, "REVERSE")) {
        out.reverse = true;
        TRY(parser.space());
        TRY_ASSIGN(word, parser.word());
    }
    for (const auto& [name, kind] : kSortKeys) {
        if (!iequals(name, word)) continue;
        out.kind = kind;
        return out;
    }
    return bad("Unknown sort key " + printable(word, 40));
}

}  // namespace

PartialRange::Window PartialRange::window(std::size_t size) const {
    const auto count = static_cast<std::int64_t>(size);
    if (first > 0) {
        const auto begin = std::min(first - 1, count), end = std::min(last, count);
        return {static_cast<std::size_t>(begin), static_cast<std::size_t>(std::max(begin, end))};
    }
    const auto end = std::max(count + first + 1, std::int64_t{0});
    const auto begin = std::clamp(count + last, std::int64_t{0}, end);
    return {static_cast<std::size_t>(begin), static_cast<std::size_t>(end)};
}

std::string PartialRange::str() const {
    return cat({std::to_string(first), ":", std::to_string(last)});
}

Result<PartialRange> parse_partial_range(Parser& parser) {
    PartialRange out;
    const bool negative = parser.peek() == '-';
    TRY_ASSIGN(out.first, parse_position(parser, negative));
    TRY(parser.expect(':'));
    TRY_ASSIGN(out.last, parse_position(parser, negative));
    // RFC 9394 4: 500:400 is 400:500
    if (std::abs(out.first) > std::abs(out.last)) std::swap(out.first, out.last);
    return out;
}

Result<SearchArguments> parse_search_arguments(Parser& parser) {
    SearchArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.options, parse_return_options(parser));
    if (istarts_with(parser.rest(), "CHARSET ")) {
        TRY(parser.word());
        TRY(parser.space());
        TRY_ASSIGN(out.charset, parser.astring());
        TRY(parser.space());
    }
    TRY_ASSIGN(out.key, parse_search_keys(parser));
    return out;
}

// RFC 7377 3: ESEARCH [IN (filters [(options)])] [RETURN (...)] keys
Result<EsearchArguments> parse_esearch_arguments(Parser& parser) {
    EsearchArguments out;
    if (istarts_with(parser.rest(), " IN (")) {
        TRY(parser.space());
        TRY(parser.word());
        TRY(parser.space());
        TRY(parser.expect('('));
        do {
            TRY_ASSIGN(MailboxFilter filter, parse_mailbox_filter(parser));
            out.filters.push_back(std::move(filter));
            if (out.filters.size() > kMaxFilters) return bad("Too many mailbox filters");
        } while (parser.eat(' '));
        TRY(parser.expect(')'));
    }
    TRY_ASSIGN(out.search, parse_search_arguments(parser));
    return out;
}

Result<SortArguments> parse_sort_arguments(Parser& parser) {
    SortArguments out;
    TRY(parser.space());
    TRY_ASSIGN(const ReturnOptions options, parse_return_options(parser));
    TRY(parser.expect('('));
    do {
        TRY_ASSIGN(const SortKey key, parse_sort_key(parser));
        out.keys.push_back(key);
        if (out.keys.size() > kMaxSortKeys) return bad("Too many sort keys");
    } while (parser.eat(' '));
    TRY(parser.expect(')'));
    TRY_ASSIGN(out.search, parse_charset_and_keys(parser));
    out.search.options = options;
    return out;
}

Result<ThreadArguments> parse_thread_arguments(Parser& parser) {
    ThreadArguments out;
    TRY(parser.space());
    TRY_ASSIGN(const std::string_view word, parser.word());
    if (iequals(word, "ORDEREDSUBJECT"))
        out.algorithm = ThreadAlgorithm::ordered_subject;
    else if (iequals(word, "REFS"))
        out.algorithm = ThreadAlgorithm::refs;
    else if (!iequals(word, "REFERENCES"))
        return bad("Unknown threading algorithm " + printable(word, 40));
    TRY_ASSIGN(out.search, parse_charset_and_keys(parser));
    return out;
}

}  // namespace postern::imap
