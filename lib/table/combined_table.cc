#include "lib/table/combined_table.h"

#include <algorithm>

namespace postern::table {
namespace {

bool any_patterns(const std::vector<std::unique_ptr<Table>>& tables) {
    return std::any_of(tables.begin(), tables.end(), [](const auto& t) { return t->patterns(); });
}

std::vector<std::string> all_warnings(const std::vector<std::unique_ptr<Table>>& tables) {
    std::vector<std::string> all;
    for (const auto& table : tables) {
        for (auto& warning : table->warnings()) all.push_back(std::move(warning));
    }
    return all;
}

}  // namespace

bool UnionTable::patterns() const { return any_patterns(tables_); }
bool PipeTable::patterns() const { return any_patterns(tables_); }
std::vector<std::string> UnionTable::warnings() const { return all_warnings(tables_); }
std::vector<std::string> PipeTable::warnings() const { return all_warnings(tables_); }

Lookup<std::string> UnionTable::lookup(std::string_view key) {
    std::string all;
    bool any = false;
    for (const auto& table : tables_) {
        auto found = table->lookup(key);
        if (found.failed()) return found;
        if (!found.found()) continue;
        if (any) all += ',';
        all += *found;
        any = true;
    }
    if (!any) return NotFound{};
    return all;
}

Lookup<std::string> PipeTable::lookup(std::string_view key) {
    std::string value(key);
    for (const auto& table : tables_) {
        auto found = table->lookup(value);
        if (!found.found()) return found;
        value = std::move(found).value();
    }
    return value;
}

}  // namespace postern::table
