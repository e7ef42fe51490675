#include "lib/table/map_file.h"

#include "lib/table/cdb_file.h"
#include "lib/table/db_file.h"
#include "lib/table/lmdb_file.h"

namespace postern::table {

Result<std::unique_ptr<MapFile>> open_map_file(MapType type, const std::string& path, MapMode mode,
                                               std::uint64_t room) {
    switch (type) {
        case MapType::cdb: return open_cdb(path, mode);
        case MapType::lmdb: return open_lmdb(path, mode, room);
        case MapType::hash:
        case MapType::btree: break;
    }
    return DbFile::open(type, path, mode, room);
}

std::string_view map_suffix(MapType type) {
    return type == MapType::cdb ? ".cdb" : type == MapType::lmdb ? ".lmdb" : ".db";
}

std::optional<MapType> buildable_type(std::string_view name) {
    if (name == "hash") return MapType::hash;
    if (name == "btree") return MapType::btree;
    if (name == "cdb") return MapType::cdb;
    if (name == "lmdb") return MapType::lmdb;
    return std::nullopt;
}

}  // namespace postern::table
