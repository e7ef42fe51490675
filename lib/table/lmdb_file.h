// lmdb: the Lightning Memory-mapped Database, NAME.lmdb, as Postfix's postmap writes it. Locks are
// ours (map_table.h), not LMDB's, as in Postfix. The library is loaded when such a table is opened.
#pragma once

#include "lib/table/map_file.h"

namespace postern::table {

// room: about how many bytes of keys and values will be put in; LMDB wants a limit of the file's
// size.
Result<std::unique_ptr<MapFile>> open_lmdb(const std::string& path, MapMode mode,
                                           std::uint64_t room);

}  // namespace postern::table
