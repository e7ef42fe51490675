// hash:, btree:, cdb: and lmdb: tables, reading. The file is NAME.db (.cdb, .lmdb) as Postfix's
// postmap or ours wrote it; it is opened again when it was replaced or changed. While somebody
// writes it in place (Postfix does), we wait for his lock, but not for ever.
#pragma once

#include <memory>
#include <string>

#include "lib/base/fd.h"
#include "lib/table/map_file.h"
#include "lib/table/source.h"
#include "lib/table/table.h"

namespace postern::table {

class MapTable final : public Table {
  public:
    // `name` without its suffix. Fails when the file cannot be opened now.
    static Result<std::unique_ptr<Table>> open(MapType type, std::string_view name, Fold fold);
    ~MapTable() override;

    Lookup<std::string> lookup(std::string_view key) override;
    void hold() override;
    void release() override;
    Result<void> each(const Visitor& visit) override;

  private:
    enum class Nulls : unsigned char { unknown, with, without };

    MapTable(MapType type, std::string path, Fold fold);
    Result<void> refresh();
    Result<void> lock();
    void unlock();
    bool needs_lock() const;
    bool is_current() const;
    Lookup<std::string> find(std::string key);

    MapType type_;
    std::string path_;
    Fold fold_;
    Nulls nulls_ = Nulls::unknown;
    FileStamp stamp_;
    std::uint64_t links_ = 0;      // names that the open file had
    std::int64_t looked_ = 0;      // when the open file was last seen to be current
    std::int64_t look_again_ = 0;  // when its name is looked up again
    bool held_ = false;
    Fd lock_;
    std::unique_ptr<MapFile> file_;
};

}  // namespace postern::table
