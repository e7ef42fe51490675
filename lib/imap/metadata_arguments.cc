#include "lib/imap/metadata_arguments.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::imap {
namespace {

// RFC 5464 3.2: names are ASCII without wildcards, in levels none of which is empty. Clients that
// ask for all there is name the first level alone.
Result<std::string> parse_entry_name(Parser& parser, bool may_be_a_scope) {
    TRY_ASSIGN(const std::string written, parser.astring());
    std::string name = to_lower(written);
    const bool printable_ascii = std::all_of(name.begin(), name.end(), [](char c) {
        return c > ' ' && c < 0x7F && c != '*' && c != '%';
    });
    const bool known = name.starts_with("/private/") || name.starts_with("/shared/") ||
                       (may_be_a_scope && (name == "/private" || name == "/shared"));
    if (!printable_ascii || !known || name.ends_with('/') || name.size() > kMaxMetadataName ||
        name.find("//") != std::string::npos)
        return bad("Invalid entry name");
    return name;
}

Result<void> parse_option(Parser& parser, GetMetadataArguments& out) {
    using Depth = GetMetadataArguments::Depth;
    TRY_ASSIGN(const std::string_view word, parser.word());
    TRY(parser.space());
    if (iequals(word, "MAXSIZE")) {
        TRY_ASSIGN(out.max_size, parser.number64());
        return {};
    }
    if (!iequals(word, "DEPTH")) return bad("Unknown GETMETADATA option " + printable(word, 40));
    TRY_ASSIGN(const std::string_view depth, parser.word());
    if (depth == "0")
        out.depth = Depth::zero;
    else if (depth == "1")
        out.depth = Depth::one;
    else if (iequals(depth, "infinity"))
        out.depth = Depth::infinity;
    else
        return bad("Invalid DEPTH");
    return {};
}

Result<void> parse_options(Parser& parser, GetMetadataArguments& out) {
    TRY(parser.expect('('));
    do {
        TRY(parse_option(parser, out));
    } while (parser.eat(' '));
    return parser.expect(')');
}

Result<void> parse_entries(Parser& parser, GetMetadataArguments& out) {
    const bool several = parser.eat('(');
    do {
        TRY_ASSIGN(std::string name, parse_entry_name(parser, true));
        out.entries.push_back(std::move(name));
        if (out.entries.size() > kMaxMetadataNames) return bad("Too many entries");
    } while (several && parser.eat(' '));
    return several ? parser.expect(')') : Result<void>();
}

bool are_options(const Parser& parser) {
    return istarts_with(parser.rest(), "(MAXSIZE ") || istarts_with(parser.rest(), "(DEPTH ");
}

}  // namespace

bool GetMetadataArguments::asks_for(std::string_view entry) const {
    return std::any_of(entries.begin(), entries.end(), [&](const std::string& wanted) {
        if (entry == wanted) return true;
        if (depth == Depth::zero || !entry.starts_with(wanted + "/")) return false;
        const auto below = entry.substr(wanted.size() + 1);
        return depth == Depth::infinity || below.find('/') == std::string_view::npos;
    });
}

Result<GetMetadataArguments> parse_get_metadata(Parser& parser) {
    GetMetadataArguments out;
    TRY(parser.space());
    if (parser.peek() == '(') {
        TRY(parse_options(parser, out));
        TRY(parser.space());
    }
    TRY_ASSIGN(out.mailbox, parser.astring());
    TRY(parser.space());
    if (are_options(parser)) {  // RFC 5464's examples have them here, its grammar above
        TRY(parse_options(parser, out));
        TRY(parser.space());
    }
    TRY(parse_entries(parser, out));
    return out;
}

Result<GetMetadataArguments> parse_listed_metadata(Parser& parser) {
    GetMetadataArguments out;
    if (are_options(parser)) {
        TRY(parse_options(parser, out));
        TRY(parser.space());
    }
    TRY(parse_entries(parser, out));
    return out;
}

Result<SetMetadataArguments> parse_set_metadata(Parser& parser) {
    SetMetadataArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    TRY(parser.space());
    TRY(parser.expect('('));
    do {
        SetMetadataArguments::Entry entry;
        TRY_ASSIGN(entry.name, parse_entry_name(parser, false));
        TRY(parser.space());
        TRY_ASSIGN(entry.value, parser.nstring8());
        out.entries.push_back(std::move(entry));
        if (out.entries.size() > kMaxMetadataNames) return bad("Too many entries");
    } while (parser.eat(' '));
    TRY(parser.expect(')'));
    return out;
}

}  // namespace postern::imap
