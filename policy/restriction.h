// Restriction lists ready to be carried out: parsed (lib/config/restrictions.h), with their tables
// open.
#pragma once

#include <memory>
#include <vector>

#include "lib/config/restrictions.h"
#include "lib/table/maps.h"

namespace postern::policy {

using config::Check;
using config::ServerCheck;
using config::ServerKind;
using config::Subject;

struct Restriction : config::RestrictionItem {
    std::shared_ptr<table::Maps> maps;  // of an access check
};
using RestrictionList = std::vector<Restriction>;

RestrictionList with_tables(config::RestrictionItems items);

}  // namespace postern::policy
