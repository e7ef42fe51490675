// cdb: D. J. Bernstein's constant database (cr.yp.to/cdb), as tinycdb and Postfix's postmap write
// it. Read with pread; built in memory and written at the end. Files up to 4 GB.
#pragma once

#include "lib/table/map_file.h"

namespace postern::table {

Result<std::unique_ptr<MapFile>> open_cdb(const std::string& path, MapMode mode);

}  // namespace postern::table
