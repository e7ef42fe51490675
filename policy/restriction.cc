#include "policy/restriction.h"

#include <utility>

namespace postern::policy {
namespace {

bool has_table(const config::RestrictionItem& item) {
    if (item.check == Check::table) return true;
    const auto* word = config::find_restriction(item.name);
    return item.check != Check::mistake && item.check != Check::restriction_class && word &&
           word->argument == config::Argument::table;
}

}  // namespace

RestrictionList with_tables(config::RestrictionItems items) {
    RestrictionList list;
    for (auto& item : items) {
        auto& one = list.emplace_back(Restriction{std::move(item), nullptr});
        if (has_table(one))
            one.maps = std::make_shared<table::Maps>(table::Maps::open(one.argument));
    }
    return list;
}

}  // namespace postern::policy
