// The text formats of lookup tables: regexp, pcre, cidr, inline, texthash, passwdfile, map and alias sources,
// the settings and formats of SQL, LDAP and memcache tables, answers of tcp: tables, lists that something is a
// member of. The first byte chooses the format, the rest is the text.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/table/ldap_table.h"
#include "lib/table/match_list.h"
#include "lib/table/memcache_table.h"
#include "lib/table/memory_table.h"
#include "lib/table/pattern_table.h"
#include "lib/table/query.h"
#include "lib/table/registry.h"
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

// LDAP's and memcache's files; no server is asked.
void ldap(std::string_view text) {
    auto settings = postern::table::TableSettings::parse("t", text);
    if (settings) (void)postern::table::LdapSettings::from(*settings).has_value();
    (void)postern::table::quote_filter(text);
    (void)postern::table::quote_name(text);
}

// Types that read their file themselves get one in memory.
void file_of_type(std::string_view type, std::string_view text) {
    const int fd = ::memfd_create("table", 0);
    if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) __builtin_trap();
    auto table = postern::table::open_table(std::string(type) + ":/proc/self/fd/" + std::to_string(fd));
    if (table && type != "memcache") {
        (void)(*table)->lookup(text.substr(0, 100));
        (void)(*table)->each([&](std::string_view key, std::string_view) {
            if (!(*table)->lookup(key).found()) __builtin_trap();
        });
        (void)(*table)->warnings();
    }
    ::close(fd);
}

void members(std::string_view text) {
    if (text.find('/') != text.npos || text.find(':') != text.npos) return;  // no files, no tables
    auto list = postern::table::MatchList::parse(text);
    (void)list.matches_name("mail.example.test").has_value();
    const auto address = postern::IpAddress::parse("192.0.2.1");
    (void)list.matches_client(*address, "mail.example.test").has_value();
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
        case 'l': ldap(text); break;
        case 'M': file_of_type("memcache", text); break;
        case 't': file_of_type("texthash", text); break;
        case 'u': file_of_type("passwdfile", text); break;
        case 'L': members(text); break;
        default: (void)postern::table::tcp_decode(text).has_value(); break;
    }
    return 0;
}
