// hash: and btree: tables, reading. The file is NAME.db as Postfix's postmap or ours wrote it; it
// is opened again when it was replaced or changed. While somebody writes it in place (Postfix
// does), we wait for his lock, but not for ever.
#pragma once

#include <memory>
#include <string>

#include "lib/base/fd.h"
#include "lib/table/source.h"
#include "lib/table/table.h"

namespace postern::table {

enum class DbType : bool;
class DbFile;

class DbTable final : public Table {
  public:
    // `name` without ".db". Fails when the file cannot be opened now.
    static Result<std::unique_ptr<Table>> open(DbType type, std::string_view name, Fold fold);
    ~DbTable() override;

    Lookup<std::string> lookup(std::string_view key) override;
    Result<void> each(const Visitor& visit) override;

  private:
    enum class Nulls : unsigned char { unknown, with, without };

    DbTable(DbType type, std::string path, Fold fold);
    Result<void> refresh();
    Result<void> lock();
    void unlock();
    Lookup<std::string> find(std::string key);

    DbType type_;
    std::string path_;
    Fold fold_;
    Nulls nulls_ = Nulls::unknown;
    FileStamp stamp_;
    Fd lock_;
    std::unique_ptr<DbFile> file_;
};

}  // namespace postern::table
