#include "lib/table/registry.h"

#include <algorithm>
#include <array>

#include "lib/base/strings.h"
#include "lib/table/combined_table.h"
#include "lib/table/db_file.h"
#include "lib/table/db_table.h"
#include "lib/table/memory_table.h"
#include "lib/table/pattern_table.h"
#include "lib/table/source.h"
#include "lib/table/user_table.h"

namespace postern::table {
namespace {

using Opened = Result<std::unique_ptr<Table>>;
constexpr int kMaxNesting = 10;  // proxy:proxy:…, unionmap within pipemap within …

Opened open_nested(std::string_view spec, Fold fold, int depth);

Opened open_hash(std::string_view name, Fold fold, int) {
    return DbTable::open(DbType::hash, name, fold);
}
Opened open_btree(std::string_view name, Fold fold, int) {
    return DbTable::open(DbType::btree, name, fold);
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
    {"cidr", open_cidr},
    {"fail", open_fail},
    {"hash", open_hash},
    {"inline", open_inline},
    {"passwdfile", open_passwdfile},
    {"pipemap", open_combined<PipeTable>},
    {"proxy", open_proxy},
    {"regexp", open_regexp},
    {"static", open_static},
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
        return Error{Errc::invalid, cat({"unsupported dictionary type: ", parts->first})};
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
