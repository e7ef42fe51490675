// sqlite:, pgsql: and mysql: tables. One class asks; what differs is the connection (sqlite.cc,
// pgsql.cc, mysql.cc), whose client library is loaded when the table is opened. Nothing of a key is
// ever part of a statement: it travels as a parameter.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/table/query.h"
#include "lib/table/table.h"

namespace postern::table {

using SqlRow = std::vector<std::optional<std::string>>;  // columns; nothing: NULL

class SqlConnection {
  public:
    virtual ~SqlConnection() = default;
    // Runs the statement with these values for its parameters. Errc::closed: the connection is
    // lost.
    virtual Result<std::vector<SqlRow>> run(const SqlTemplate& statement,
                                            const std::vector<std::string>& values) = 0;
};

// Opens one connection to a host of the settings ("unix:/path", "inet:host:port", "host:port",
// "host").
using SqlConnect = Result<std::unique_ptr<SqlConnection>> (*)(const TableSettings& settings,
                                                              const std::string& host);

Result<std::unique_ptr<SqlConnection>> connect_sqlite(const TableSettings& settings,
                                                      const std::string& host);
Result<std::unique_ptr<SqlConnection>> connect_pgsql(const TableSettings& settings,
                                                     const std::string& host);
Result<std::unique_ptr<SqlConnection>> connect_mysql(const TableSettings& settings,
                                                     const std::string& host);

class SqlTable final : public Table {
  public:
    // Reads the table's file; connects with the first lookup.
    static Result<std::unique_ptr<Table>> open(SqlConnect connect, std::string_view path,
                                               Fold fold);

    Lookup<std::string> lookup(std::string_view key) override;

  private:
    SqlTable(SqlConnect connect, TableSettings settings, Fold fold)
        : connect_(connect), settings_(std::move(settings)), fold_(fold) {}
    Result<std::vector<SqlRow>> run(const std::vector<std::string>& values);
    Result<void> open_connection();

    SqlConnect connect_;
    TableSettings settings_;
    Fold fold_;
    SqlTemplate statement_;
    ResultRules rules_;
    std::unique_ptr<SqlConnection> connection_;
};

}  // namespace postern::table
