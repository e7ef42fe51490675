// Builds NAME.db for postmap and postalias: under a lock that all builders of that table share, in
// a file beside it, synced and renamed into place. A reader sees the old table or the new one; a
// crash leaves the old one. Readable by Postfix 3.x with Berkeley DB 5.3.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::table {

enum class DbType : bool;
class DbFile;

// postmap -N and -n. Postfix's default on Linux is one trailing null byte.
enum class TrailingNull : bool { without, with };

class DbBuilder {
  public:
    struct Options {
        bool keep_entries = false;  // begin with the present table (postmap -i, -d)
        std::optional<TrailingNull> trailing_null;
        mode_t mode = 0644;
        std::optional<std::pair<uid_t, gid_t>> owner;
    };

    // `name` without ".db". Waits for another builder of the same table.
    static Result<DbBuilder> start(DbType type, std::string_view name, const Options& options);
    DbBuilder(DbBuilder&&) noexcept;
    DbBuilder& operator=(DbBuilder&&) = delete;
    ~DbBuilder();  // without commit(): the table stays as it was

    // False when the key is there already and `overwrite` is not set.
    Result<bool> put(std::string_view key, std::string_view value, bool overwrite);
    // False when the key is not there. Tries both forms, unless the options name one.
    Result<bool> remove(std::string_view key);
    Result<void> commit();

  private:
    DbBuilder(std::string path, const Options& options);
    Result<void> lock();

    std::string path_;
    std::string draft_;
    Options options_;
    Fd lock_;
    std::unique_ptr<DbFile> file_;
};

// The type of that name ("hash", "btree"), if it can be built.
std::optional<DbType> buildable_type(std::string_view name);

}  // namespace postern::table
