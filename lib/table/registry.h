// From "type:name" to a Table. Above everything it registers; new types are added in registry.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/table/table.h"

namespace postern::table {

// "hash:/etc/aliases", "inline:{ a = b }", "proxy:unix:passwd.byname" (proxy: is understood and
// passed through: tables are read by processes that may read them). Errc::invalid for an unknown
// type, with Postfix's words; the file's error when it cannot be opened.
Result<std::unique_ptr<Table>> open_table(std::string_view spec, Fold fold = Fold::lower);

// Names of the types, sorted, for postconf -m.
std::vector<std::string> table_types();

}  // namespace postern::table
