// Builds NAME.db (.cdb, .lmdb) for postmap and postalias: under a lock that all builders of that
// table share, in a file beside it, synced and renamed into place. A reader sees the old table or
// the new one; a crash leaves the old one. Readable by Postfix 3.x with Berkeley DB 5.3.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/fd.h"
#include "lib/base/result.h"

#include "lib/table/map_file.h"

namespace postern::table {

// postmap -N and -n. Postfix's default on Linux is one trailing null byte.
enum class TrailingNull : bool { without, with };

class MapBuilder {
  public:
    struct Options {
        bool keep_entries = false;  // begin with the present table (postmap -i, -d)
        std::optional<TrailingNull> trailing_null;
        mode_t mode = 0644;
        std::optional<std::pair<uid_t, gid_t>> owner;
        std::uint64_t room = 0;  // about how many bytes will be put in
    };

    // `name` without its suffix. Waits for another builder of the same table.
    static Result<MapBuilder> start(MapType type, std::string_view name, const Options& options);
    MapBuilder(MapBuilder&&) noexcept;
    MapBuilder& operator=(MapBuilder&&) = delete;
    ~MapBuilder();  // without commit(): the table stays as it was

    // False when the key is there already and `overwrite` is not set.
    Result<bool> put(std::string_view key, std::string_view value, bool overwrite);
    // False when the key is not there. Tries both forms, unless the options name one.
    Result<bool> remove(std::string_view key);
    Result<void> commit();

  private:
    MapBuilder(std::string path, const Options& options);
    Result<void> lock();

    std::string path_;
    std::string draft_;
    Options options_;
    Fd lock_;
    std::unique_ptr<MapFile> file_;
};
}  // namespace postern::table
