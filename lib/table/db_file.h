// DbFile: an open Berkeley DB file of type hash or btree. The only place that includes <db.h>; only
// db_table.cc and db_builder.cc include this header. Files are those of Postfix's postmap: one
// trailing null byte in keys and values, or none.
#pragma once

#include <db.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/lookup.h"

namespace postern::table {

enum class DbType : bool { hash, btree };

class DbFile {
  public:
    enum class Mode : unsigned char { read, write, create };

    // `path` is the database file itself ("aliases.db"). create: the file exists and is empty.
    static Result<DbFile> open(DbType type, const std::string& path, Mode mode);

    // Exactly these bytes.
    Lookup<std::string> get(std::string_view key);
    // False when the key is there already and `overwrite` is not set.
    Result<bool> put(std::string_view key, std::string_view value, bool overwrite);
    // False when the key is not there.
    Result<bool> remove(std::string_view key);
    Result<void> each(const std::function<void(std::string_view, std::string_view)>& visit);
    // Writes everything out and closes.
    Result<void> close();

  private:
    struct Close {
        void operator()(DB* db) const { db->close(db, 0); }
    };
    DbFile(DB* db, std::string path) : db_(db), path_(std::move(path)) {}
    Error failure(std::string_view doing, int code) const;

    std::unique_ptr<DB, Close> db_;
    std::string path_;
};

}  // namespace postern::table
