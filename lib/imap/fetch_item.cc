#include "lib/imap/fetch_item.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/imap/response.h"

namespace postern::imap {
namespace {

using Kind = FetchItem::Kind;
using Text = Section::Text;

struct Row {
    std::string_view name;
    Kind kind;
    Text text = Text::all;
    bool sets_seen = false;
};

constexpr Row kRows[] = {
    {"UID", Kind::uid},
    {"FLAGS", Kind::flags},
    {"INTERNALDATE", Kind::internal_date},
    {"RFC822.SIZE", Kind::rfc822_size},
    {"ENVELOPE", Kind::envelope},
    {"BODYSTRUCTURE", Kind::body_structure},
    {"RFC822", Kind::section, Text::all, true},
    {"RFC822.HEADER", Kind::section, Text::header, false},  // RFC 3501 6.4.5: as BODY.PEEK[HEADER]
    {"RFC822.TEXT", Kind::section, Text::text, true},
    {"MODSEQ", Kind::modseq},
    {"EMAILID", Kind::email_id},
    {"THREADID", Kind::thread_id},
    {"SAVEDATE", Kind::save_date},
    {"PREVIEW", Kind::preview},
};

constexpr std::pair<std::string_view, Text> kTexts[] = {
    {"HEADER", Text::header},
    {"HEADER.FIELDS", Text::header_fields},
    {"HEADER.FIELDS.NOT", Text::header_fields_not},
    {"TEXT", Text::text},
    {"MIME", Text::mime},
};

FetchItem item_of(const Row& row) {
    FetchItem item;
    item.kind = row.kind;
    item.label = row.name;
    item.section.text = row.text;
    item.sets_seen = row.sets_seen;
    return item;
}

void add_named(std::vector<FetchItem>& items, std::initializer_list<std::string_view> names) {
    for (const auto name : names) {
        for (const Row& row : kRows) {
            if (row.name == name) items.push_back(item_of(row));
        }
    }
}

FetchItem body_item() {
    FetchItem item;
    item.kind = Kind::body;
    item.label = "BODY";
    return item;
}

Result<void> parse_field_names(Parser& parser, Section& section) {
    TRY(parser.space());
    TRY(parser.expect('('));
    do {
        TRY_ASSIGN(std::string name, parser.astring());
        section.fields.push_back(std::move(name));
        if (section.fields.size() > kMaxHeaderFields) return bad("Too many header fields");
    } while (parser.eat(' '));
    return parser.expect(')');
}

// section-text after the numbers, if any
Result<void> parse_section_text(Parser& parser, Section& section) {
    TRY_ASSIGN(const std::string_view word, parser.word());
    for (const auto& [name, text] : kTexts) {
        if (iequals(word, name)) section.text = text;
    }
    // RFC 3501 6.4.5: MIME must have a part number before it
    if (section.text == Text::all || (section.text == Text::mime && section.path.empty())) {
        return bad("Invalid section");
    }
    if (section.text == Text::header_fields || section.text == Text::header_fields_not) {
        return parse_field_names(parser, section);
    }
    return {};
}

std::string section_label(std::string_view item, const Section& section) {
    std::string out = cat({item, "["});
    for (std::size_t i = 0; i < section.path.size(); ++i) {
        out += (i == 0 ? "" : ".") + std::to_string(section.path[i]);
    }
    if (section.text != Text::all && !section.path.empty()) out += '.';
    for (const auto& [name, text] : kTexts) {
        if (section.text == text) out += name;
    }
    for (std::size_t i = 0; i < section.fields.size(); ++i) {
        out += i == 0 ? " (" : " ";
        append_astring(out, section.fields[i]);
    }
    if (!section.fields.empty()) out += ')';
    return out + ']';
}

// "<offset.count>" after a section
Result<void> parse_partial(Parser& parser, FetchItem& item) {
    if (!parser.eat('<')) return {};
    FetchItem::Partial partial;
    TRY_ASSIGN(partial.offset, parser.number64());  // RFC 9051 9: 63 bits
    TRY(parser.expect('.'));
    TRY_ASSIGN(partial.count, parser.number64());
    if (partial.count == 0) return bad("Invalid number 0");
    TRY(parser.expect('>'));
    item.partial = partial;
    item.label += '<' + std::to_string(partial.offset) +
                  '>';  // RFC 3501 7.4.2: the response has the offset only
    return {};
}

Result<FetchItem> parse_body_section(Parser& parser, bool peek) {
    FetchItem item;
    item.kind = Kind::section;
    item.sets_seen = !peek;
    TRY_ASSIGN(item.section, parse_section(parser));
    TRY(parser.expect(']'));
    item.label = section_label("BODY", item.section);
    TRY(parse_partial(parser, item));
    return item;
}

// RFC 8970 3.1: "PREVIEW (LAZY)" allows NIL where it would take long. It does not.
Result<void> parse_lazy(Parser& parser) {
    if (!istarts_with(parser.rest(), " (")) return {};
    TRY(parser.space());
    TRY(parser.expect('('));
    TRY_ASSIGN(const std::string_view word, parser.word());
    if (!iequals(word, "LAZY")) return bad("Unknown PREVIEW modifier");
    return parser.expect(')');
}

// RFC 3516 4.3: a part without its transfer encoding, or how large it is so
Result<FetchItem> parse_binary(Parser& parser, std::string_view name) {
    FetchItem item;
    const bool size = iequals(name, "BINARY.SIZE");
    item.kind = size ? Kind::binary_size : Kind::binary;
    item.sets_seen = iequals(name, "BINARY");
    TRY(parser.expect('['));
    while (parser.peek() != ']') {
        if (!item.section.path.empty()) TRY(parser.expect('.'));
        TRY_ASSIGN(const std::uint32_t number, parser.nz_number());
        item.section.path.push_back(number);
        if (item.section.path.size() > kMaxSectionDepth) return bad("Section is too deep");
    }
    TRY(parser.expect(']'));
    item.label = section_label(size ? "BINARY.SIZE" : "BINARY", item.section);
    if (!size) TRY(parse_partial(parser, item));
    return item;
}

Result<FetchItem> parse_item(Parser& parser, std::string_view name) {
    const bool peek = iequals(name, "BODY.PEEK");
    if (peek || iequals(name, "BODY")) {
        if (parser.eat('[')) return parse_body_section(parser, peek);
        if (peek) return bad("BODY.PEEK needs a section");
        return body_item();
    }
    if (iequals(name, "BINARY") || iequals(name, "BINARY.PEEK") || iequals(name, "BINARY.SIZE"))
        return parse_binary(parser, name);
    for (const Row& row : kRows) {
        if (!iequals(row.name, name)) continue;
        if (row.kind == Kind::preview) TRY(parse_lazy(parser));
        return item_of(row);
    }
    return bad("Unknown FETCH item " + printable(name, 40));
}

bool same(const FetchItem& a, const FetchItem& b) {
    if (a.kind != b.kind || a.label != b.label) return false;
    return a.partial.has_value() == b.partial.has_value() &&
           (!a.partial || a.partial->count == b.partial->count);
}

void add(std::vector<FetchItem>& items, FetchItem item) {
    for (FetchItem& other : items) {
        if (!same(other, item)) continue;
        other.sets_seen = other.sets_seen || item.sets_seen;
        return;
    }
    items.push_back(std::move(item));
}

// RFC 3501 6.4.5: macros, which stand alone
bool add_macro(std::vector<FetchItem>& items, std::string_view name) {
    const bool full = iequals(name, "FULL");
    if (!full && !iequals(name, "ALL") && !iequals(name, "FAST")) return false;
    add_named(items, {"FLAGS", "INTERNALDATE", "RFC822.SIZE"});
    if (!iequals(name, "FAST")) add_named(items, {"ENVELOPE"});
    if (full) items.push_back(body_item());
    return true;
}

}  // namespace

Result<Section> parse_section(Parser& parser) {
    Section section;
    if (parser.peek() == ']' || parser.at_end()) return section;
    while (is_digit(parser.peek())) {
        TRY_ASSIGN(const std::uint32_t number, parser.nz_number());
        section.path.push_back(number);
        if (section.path.size() > kMaxSectionDepth) return bad("Section is too deep");
        if (!parser.eat('.')) return section;
    }
    TRY(parse_section_text(parser, section));
    return section;
}

FetchItem plain_item(FetchItem::Kind kind) {
    for (const Row& row : kRows) {
        if (row.kind == kind) return item_of(row);
    }
    return {};
}

bool has_item(const std::vector<FetchItem>& items, FetchItem::Kind kind) {
    return std::any_of(items.begin(), items.end(),
                       [kind](const FetchItem& item) { return item.kind == kind; });
}

Result<std::vector<FetchItem>> parse_fetch_items(Parser& parser) {
    std::vector<FetchItem> items;
    const bool list = parser.eat('(');
    do {
        TRY_ASSIGN(const std::string_view name, parser.word());
        if (!list && add_macro(items, name)) return items;
        TRY_ASSIGN(FetchItem item, parse_item(parser, name));
        add(items, std::move(item));
        if (items.size() > kMaxFetchItems) return bad("Too many FETCH items");
    } while (list && parser.eat(' '));
    if (list) TRY(parser.expect(')'));
    return items;
}

}  // namespace postern::imap
