#include "lib/imap/list_arguments.h"

#include <utility>

#include "lib/base/strings.h"

namespace postern::imap {
namespace {

constexpr std::pair<std::string_view, StatusItem> kStatusItems[] = {
    {"MESSAGES", StatusItem::messages},
    {"RECENT", StatusItem::recent},
    {"UIDNEXT", StatusItem::uid_next},
    {"UIDVALIDITY", StatusItem::uid_validity},
    {"UNSEEN", StatusItem::unseen},
    {"DELETED", StatusItem::deleted},
    {"DELETED-STORAGE", StatusItem::deleted_storage},
    {"SIZE", StatusItem::size},
    {"HIGHESTMODSEQ", StatusItem::highest_modseq},
    {"APPENDLIMIT", StatusItem::append_limit},
    {"MAILBOXID", StatusItem::mailbox_id},
};

Result<StatusItem> parse_status_item(Parser& parser) {
    TRY_ASSIGN(const std::string_view word, parser.word());
    for (const auto& [name, item] : kStatusItems) {
        if (iequals(word, name)) return item;
    }
    return bad("Unknown STATUS item " + printable(word, 40));
}

// RFC 5258 3.1: an option that the server does not know is an error
Result<void> parse_selection(Parser& parser, ListArguments& out) {
    TRY_ASSIGN(const std::string_view word, parser.word());
    if (iequals(word, "SUBSCRIBED")) {
        out.select_subscribed = out.return_subscribed = true;
    } else if (iequals(word, "RECURSIVEMATCH")) {
        out.recursive_match = true;
    } else if (iequals(word, "SPECIAL-USE")) {
        out.select_special_use = out.return_special_use = true;
    } else if (!iequals(word, "REMOTE")) {  // there are no remote mailboxes: asks for nothing more
        return bad("Unknown LIST selection option " + printable(word, 40));
    }
    return {};
}

Result<void> parse_return(Parser& parser, ListArguments& out) {
    TRY_ASSIGN(const std::string_view word, parser.word());
    if (iequals(word, "SUBSCRIBED")) {
        out.return_subscribed = true;
    } else if (iequals(word, "SPECIAL-USE")) {
        out.return_special_use = true;
    } else if (iequals(word, "STATUS")) {
        TRY(parser.space());
        TRY_ASSIGN(out.status, parse_status_items(parser));
    } else if (iequals(word, "METADATA")) {
        TRY(parser.space());
        TRY_ASSIGN(out.metadata, parse_listed_metadata(parser));
    } else if (iequals(word, "MYRIGHTS")) {
        out.return_my_rights = true;
    } else if (!iequals(word, "CHILDREN")) {  // which is always said
        return bad("Unknown LIST return option " + printable(word, 40));
    }
    return {};
}

// "(a b c)", perhaps empty; the "(" is next.
Result<void> parse_options(Parser& parser, ListArguments& out,
                           Result<void> (*one)(Parser&, ListArguments&)) {
    out.extended = true;
    TRY(parser.expect('('));
    if (parser.eat(')')) return {};
    do {
        TRY(one(parser, out));
    } while (parser.eat(' '));
    return parser.expect(')');
}

Result<void> parse_patterns(Parser& parser, ListArguments& out) {
    const bool several = parser.eat('(');
    out.extended = out.extended || several;
    do {
        TRY_ASSIGN(std::string pattern, parser.list_mailbox());
        out.patterns.push_back(std::move(pattern));
        if (out.patterns.size() > kMaxListPatterns) return bad("Too many mailbox patterns");
    } while (several && parser.eat(' '));
    return several ? parser.expect(')') : Result<void>();
}

}  // namespace

std::string_view name_of(StatusItem item) {
    for (const auto& [name, value] : kStatusItems) {
        if (value == item) return name;
    }
    return "";
}

Result<std::vector<StatusItem>> parse_status_items(Parser& parser) {
    std::vector<StatusItem> items;
    TRY(parser.expect('('));
    do {
        TRY_ASSIGN(const StatusItem item, parse_status_item(parser));
        items.push_back(item);
        if (items.size() > kMaxStatusItems) return bad("Too many STATUS items");
    } while (parser.eat(' '));
    TRY(parser.expect(')'));
    return items;
}

Result<ListArguments> parse_list_arguments(Parser& parser) {
    ListArguments out;
    if (parser.peek() == '(') {
        TRY(parse_options(parser, out, parse_selection));
        TRY(parser.space());
    }
    // RFC 5258 3.1: RECURSIVEMATCH says nothing by itself
    if (out.recursive_match && !out.select_subscribed && !out.select_special_use)
        return bad("RECURSIVEMATCH needs another selection option");
    TRY_ASSIGN(out.reference, parser.astring());
    TRY(parser.space());
    TRY(parse_patterns(parser, out));
    if (!parser.eat(' ')) return out;
    TRY_ASSIGN(const std::string_view word, parser.word());
    if (!iequals(word, "RETURN")) return bad("Unexpected extra arguments");
    TRY(parser.space());
    TRY(parse_options(parser, out, parse_return));
    return out;
}

}  // namespace postern::imap
