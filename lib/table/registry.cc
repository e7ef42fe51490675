#include "lib/table/registry.h"

#include <algorithm>
#include <array>

#include "lib/base/strings.h"
#include "lib/config/spelling.h"
#include "lib/table/combined_table.h"
#include "lib/table/ldap_table.h"
#include "lib/table/map_table.h"
#include "lib/table/memcache_table.h"
#include "lib/table/memory_table.h"
#include "lib/table/pattern_table.h"
#include "lib/table/server_table.h"
#include "lib/table/source.h"
#include "lib/table/sql_table.h"
#include "lib/table/user_table.h"

namespace postern::table {
namespace {

using Opened = Result<std::unique_ptr<Table>>;
constexpr int kMaxNesting = 10;  // proxy:proxy:…, unionmap within pipemap within …

Opened open_nested(std::string_view spec, Fold fold, int depth);

Opened open_hash(std::string_view name, Fold fold, int) {
    return MapTable::open(MapType::hash, name, fold);
}
Opened open_btree(std::string_view name, Fold fold, int) {
    return MapTable::open(MapType::btree, name, fold);
}
Opened open_cdb_map(std::string_view name, Fold fold, int) {
    return MapTable::open(MapType::cdb, name, fold);
}
Opened open_lmdb_map(std::string_view name, Fold fold, int) {
    return MapTable::open(MapType::lmdb, name, fold);
}
Opened open_environ(std::string_view, Fold, int) {
    return std::unique_ptr<Table>(std::make_unique<EnvironmentTable>());
}
Opened open_randmap(std::string_view name, Fold, int) { return RandomTable::parse(name); }
Opened open_pcre(std::string_view name, Fold, int) {
    return PatternTable::open(PatternTable::Kind::pcre, std::string(name));
}
Opened open_tcp_map(std::string_view name, Fold, int) { return open_tcp(name); }
Opened open_socketmap_map(std::string_view name, Fold, int) { return open_socketmap(name); }
Opened open_sqlite(std::string_view name, Fold fold, int) {
    return SqlTable::open(connect_sqlite, name, fold);
}
Opened open_pgsql(std::string_view name, Fold fold, int) {
    return SqlTable::open(connect_pgsql, name, fold);
}
Opened open_mysql(std::string_view name, Fold fold, int) {
    return SqlTable::open(connect_mysql, name, fold);
}
Opened open_ldap(std::string_view name, Fold fold, int) { return LdapTable::open(name, fold); }
Opened open_memcache(std::string_view name, Fold fold, int depth) {
    return MemcacheTable::open(
        name, fold, [&](std::string_view backup) { return open_nested(backup, fold, depth); });
}
Opened open_texthash(std::string_view name, Fold fold, int) {
    return TextHashTable::open(name, fold);
}
Opened open_inline(std::string_view name, Fold fold, int) {
    return MemoryTable::parse_inline(name, fold);
}
Opened open_static(std::string_view name, Fold, int) {
    TRY_ASSIGN(std::string value, strip_braces(name));
    return std::unique_ptr<Table>(std::make_unique<StaticTable>(std::move(value)));
}
Opened open_fail(std::string_view name, Fold, int) {
    return std::unique_ptr<Table>(std::make_unique<FailTable>(cat({"fail:", name})));
}
Opened open_regexp(std::string_view name, Fold, int) {
    return PatternTable::open(PatternTable::Kind::regexp, std::string(name));
}
Opened open_cidr(std::string_view name, Fold, int) {
    return PatternTable::open(PatternTable::Kind::cidr, std::string(name));
}
Opened open_unix(std::string_view name, Fold fold, int) { return UnixTable::open(name, fold); }
Opened open_passwdfile(std::string_view name, Fold, int) { return PasswdFileTable::open(name); }
Opened open_proxy(std::string_view name, Fold fold, int depth) {
    return open_nested(name, fold, depth);
}

template <class T>
Opened open_combined(std::string_view name, Fold fold, int depth) {
    TRY_ASSIGN(const std::string list, strip_braces(name));
    std::vector<std::unique_ptr<Table>> tables;
    for (const auto& spec : split_list(list)) {
        TRY_ASSIGN(auto table, open_nested(spec, fold, depth));
        tables.push_back(std::move(table));
    }
    if (tables.empty()) return Error{Errc::invalid, cat({"no tables in \"", name, "\""})};
    return std::unique_ptr<Table>(std::make_unique<T>(std::move(tables)));
}

struct Type {
    std::string_view name;
    Opened (*open)(std::string_view name, Fold fold, int depth);
};

constexpr std::array kTypes = std::to_array<Type>({
    {"btree", open_btree},
    {"cdb", open_cdb_map},
    {"cidr", open_cidr},
    {"environ", open_environ},
    {"fail", open_fail},
    {"hash", open_hash},
    {"inline", open_inline},
    {"ldap", open_ldap},
    {"lmdb", open_lmdb_map},
    {"memcache", open_memcache},
    {"mysql", open_mysql},
    {"passwdfile", open_passwdfile},
    {"pcre", open_pcre},
    {"pgsql", open_pgsql},
    {"pipemap", open_combined<PipeTable>},
    {"proxy", open_proxy},
    {"randmap", open_randmap},
    {"regexp", open_regexp},
    {"socketmap", open_socketmap_map},
    {"sqlite", open_sqlite},
    {"static", open_static},
    {"tcp", open_tcp_map},
    {"texthash", open_texthash},
    {"unionmap", open_combined<UnionTable>},
    {"unix", open_unix},
});

Opened open_nested(std::string_view spec, Fold fold, int depth) {
    const auto parts = split_once(spec, ':');
    if (!parts) {
        return Error{
            Errc::invalid,
            cat({"open dictionary: expecting \"type:name\" form instead of \"", spec, "\""})};
    }
    if (depth >= kMaxNesting) return Error{Errc::invalid, "tables nested too deeply"};
    const auto* type = std::find_if(kTypes.begin(), kTypes.end(),
                                    [&](const Type& t) { return t.name == parts->first; });
    if (type == kTypes.end()) {
        std::vector<std::string_view> names;
        for (const Type& known : kTypes) names.push_back(known.name);
        const auto near = config::nearest_word(parts->first, names);
        return Error{Errc::invalid, cat({"unsupported dictionary type: ", parts->first,
                                         near ? cat({" (did you mean ", *near, "?)"}) : ""})};
    }
    return type->open(parts->second, fold, depth + 1);
}

}  // namespace

Opened open_table(std::string_view spec, Fold fold) { return open_nested(spec, fold, 0); }

std::vector<std::string> table_types() {
    std::vector<std::string> names;
    for (const auto& type : kTypes) names.emplace_back(type.name);
    return names;
}

}  // namespace postern::table
