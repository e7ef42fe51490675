// MapFile: an open file of keys and values in one of the formats that postmap builds. Which one is
// MapType's business; map_table.h and map_builder.h see to locks, replacement and trailing null
// bytes, so that each format is only bytes in and bytes out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/lookup.h"

namespace postern::table {

// hash and btree: Berkeley DB, NAME.db. cdb: Bernstein's constant database, NAME.cdb. lmdb:
// NAME.lmdb.
enum class MapType : unsigned char { hash, btree, cdb, lmdb };

class MapFile {
  public:
    using Visitor = std::function<void(std::string_view key, std::string_view value)>;

    virtual ~MapFile() = default;

    // Exactly these bytes.
    virtual Lookup<std::string> get(std::string_view key) = 0;
    // Many keys will be asked for, by a process that ends afterwards: memory may be spent on it.
    virtual void expect_many() {}
    virtual Result<void> each(const Visitor& visit) = 0;
    // False when the key is there already and `overwrite` is not set.
    virtual Result<bool> put(std::string_view key, std::string_view value, bool overwrite) = 0;
    // False when the key is not there.
    virtual Result<bool> remove(std::string_view key) = 0;
    // Writes everything out; more may follow. Errc::invalid for a format that is written whole.
    virtual Result<void> sync() = 0;
    // Writes everything out and closes; nothing may be called afterwards.
    virtual Result<void> close() = 0;
};

enum class MapMode : unsigned char { read, write, create };

// `path` is the file itself ("aliases.db"); for create it exists and is empty. `room`: about how
// many bytes of keys and values will be put in, for formats that must know in advance.
Result<std::unique_ptr<MapFile>> open_map_file(MapType type, const std::string& path, MapMode mode,
                                               std::uint64_t room = 0);

// ".db", ".cdb", ".lmdb"
std::string_view map_suffix(MapType type);
// The type of that name ("hash", "btree", "cdb", "lmdb"), if postmap can build it.
std::optional<MapType> buildable_type(std::string_view name);

}  // namespace postern::table
