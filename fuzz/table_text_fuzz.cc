// The text formats of lookup tables: regexp, pcre, cidr, inline, map and alias sources, the settings and
// formats of SQL tables, answers of tcp: tables. The first byte chooses the format, the rest is the text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/table/memory_table.h"
#include "lib/table/pattern_table.h"
#include "lib/table/query.h"
#include "lib/table/server_table.h"
#include "lib/table/source.h"

namespace {

using postern::table::PatternTable;

void patterns(PatternTable::Kind kind, std::string_view text) {
    auto table = PatternTable::parse(kind, "t", text);
    if (!table) return;
    for (std::string_view key : {"", "alice@example.test", "192.0.2.1", "2001:db8::1"}) (void)(*table)->lookup(key);
    (void)(*table)->lookup(text.substr(0, 100));
    (void)(*table)->warnings();
}

void map_source(std::string_view text) {
    for (const auto& line : postern::table::logical_lines(text)) {
        (void)postern::table::split_map_entry(line.text);
        (void)postern::table::split_alias_entry(line.text);
        (void)postern::table::split_list(line.text);
    }
}

void sql(std::string_view text) {
    auto settings = postern::table::TableSettings::parse("t", text);
    if (!settings) return;
    (void)postern::table::ResultRules::from(*settings).has_value();
    auto statement = postern::table::statement_of(*settings);
    if (!statement) return;
    auto parsed = postern::table::SqlTemplate::parse(*statement);
    if (!parsed) return;
    for (const auto& format : parsed->formats) (void)postern::table::expand_format(format, text, "a@b.c");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0]) {
        case 'r': patterns(PatternTable::Kind::regexp, text); break;
        case 'p': patterns(PatternTable::Kind::pcre, text); break;
        case 'c': patterns(PatternTable::Kind::cidr, text); break;
        case 'i': (void)postern::table::MemoryTable::parse_inline(text, postern::table::Fold::lower).has_value(); break;
        case 'm': map_source(text); break;
        case 's': sql(text); break;
        default: (void)postern::table::tcp_decode(text).has_value(); break;
    }
    return 0;
}
