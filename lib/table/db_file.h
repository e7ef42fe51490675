// DbFile: a MapFile in Berkeley DB's format, of type hash or btree. The only place that includes
// <db.h>; only map_file.cc includes this header.
#pragma once

#include <db.h>

#include <memory>
#include <string>
#include <string_view>

#include "lib/table/map_file.h"

namespace postern::table {

class DbFile final : public MapFile {
  public:
    static Result<std::unique_ptr<MapFile>> open(MapType type, const std::string& path,
                                                 MapMode mode, std::uint64_t room);

    Lookup<std::string> get(std::string_view key) override;
    Result<bool> put(std::string_view key, std::string_view value, bool overwrite) override;
    Result<bool> remove(std::string_view key) override;
    Result<void> each(const Visitor& visit) override;
    Result<void> sync() override;
    Result<void> close() override;

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
