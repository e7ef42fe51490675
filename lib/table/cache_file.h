// CacheFile: what a daemon remembers between its runs, in a table of its own that it reads and
// writes
// ("btree:/var/lib/postfix/verify_cache"; readable with postmap, and one that Postfix wrote goes on
// being used). One process writes. It is a cache: a file that cannot be understood is set aside and
// begun anew, and nothing that goes wrong here may stop mail.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/lookup.h"
#include "lib/table/map_file.h"

namespace postern::table {

class CacheFile {
  public:
    // "type:name" of a type that can be written in place (btree, hash, lmdb), a "proxy:" before it
    // is passed over; empty: in memory only. Errc::invalid for other types.
    static Result<CacheFile> open(std::string_view spec);

    Lookup<std::string> get(std::string_view key);
    // On disk when they return.
    Result<void> put(std::string_view key, std::string_view value);
    Result<void> remove(const std::vector<std::string>& keys);
    Result<void> each(const MapFile::Visitor& visit);

    bool in_memory() const { return file_ == nullptr; }
    // What was set aside at the start: ".../verify_cache.db"; empty: nothing.
    const std::string& set_aside() const { return set_aside_; }

  private:
    CacheFile() = default;
    Result<void> begin(MapType type, std::string path);

    std::string path_, set_aside_;
    Fd lock_;  // the same file: postmap waits while we write
    std::unique_ptr<MapFile> file_;
    std::map<std::string, std::string, std::less<>> memory_;
};

}  // namespace postern::table
