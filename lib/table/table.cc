#include "lib/table/table.h"

namespace postern::table {

Result<void> Table::each(const Visitor&) {
    return Error{Errc::invalid, "this type of table cannot be listed"};
}

}  // namespace postern::table
