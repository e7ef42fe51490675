// The SQLite side of sql_table.h: dbpath names the database file.
#include "lib/base/strings.h"
#include "lib/base/shared_library.h"
#include "lib/table/sql_table.h"

namespace postern::table {
namespace {

// What <sqlite3.h> declares, as far as it is used here (SQLite 3).
struct Db;
struct Statement;
constexpr int kOk = 0, kRow = 100, kDone = 101, kNull = 5, kOpenReadOnly = 1;
constexpr int kBusyMillis = 5000;

struct SqliteApi {
    int (*open)(const char*, Db**, int, const char*) = nullptr;
    int (*close)(Db*) = nullptr;
    int (*busy_timeout)(Db*, int) = nullptr;
    const char* (*errmsg)(Db*) = nullptr;
    int (*prepare)(Db*, const char*, int, Statement**, const char**) = nullptr;
    int (*bind_text)(Statement*, int, const char*, int, void (*)(void*)) = nullptr;
    int (*step)(Statement*) = nullptr;
    int (*column_type)(Statement*, int) = nullptr;
    const unsigned char* (*column_text)(Statement*, int) = nullptr;
    int (*column_bytes)(Statement*, int) = nullptr;
    int (*finalize)(Statement*) = nullptr;

    static Result<SqliteApi> load() {
        TRY_ASSIGN(SharedLibrary library, SharedLibrary::open("libsqlite3.so.0", "libsqlite3-0"));
        SqliteApi api;
        library.bind(api.open, "sqlite3_open_v2")
            .bind(api.close, "sqlite3_close")
            .bind(api.busy_timeout, "sqlite3_busy_timeout")
            .bind(api.errmsg, "sqlite3_errmsg")
            .bind(api.prepare, "sqlite3_prepare_v2")
            .bind(api.bind_text, "sqlite3_bind_text")
            .bind(api.step, "sqlite3_step")
            .bind(api.column_type, "sqlite3_column_type")
            .bind(api.column_text, "sqlite3_column_text")
            .bind(api.column_bytes, "sqlite3_column_bytes")
            .bind(api.finalize, "sqlite3_finalize");
        TRY(library.check());
        return api;
    }
};

class SqliteConnection final : public SqlConnection {
  public:
    explicit SqliteConnection(const SqliteApi& api) : api_(api) {}
    ~SqliteConnection() override {
        if (db_ != nullptr) api_.close(db_);
    }
    SqliteConnection(const SqliteConnection&) = delete;
    SqliteConnection& operator=(const SqliteConnection&) = delete;

    Result<void> open(const std::string& path) {
        if (api_.open(path.c_str(), &db_, kOpenReadOnly, nullptr) != kOk)
            return failure(cat({"open ", path}));
        api_.busy_timeout(db_, kBusyMillis);
        return {};
    }

    Result<std::vector<SqlRow>> run(const SqlTemplate& statement,
                                    const std::vector<std::string>& values) override {
        std::string text = statement.texts[0];
        for (std::size_t i = 1; i < statement.texts.size(); ++i)
            text += cat({"?", statement.texts[i]});
        Statement* prepared = nullptr;
        if (api_.prepare(db_, text.c_str(), -1, &prepared, nullptr) != kOk || prepared == nullptr)
            return failure("query");
        auto rows = step_through(prepared, values);
        api_.finalize(prepared);
        return rows;
    }

  private:
    Result<std::vector<SqlRow>> step_through(Statement* prepared,
                                             const std::vector<std::string>& values) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            // The values outlive the statement (no destructor: SQLITE_STATIC).
            if (api_.bind_text(prepared, static_cast<int>(i + 1), values[i].data(),
                               static_cast<int>(values[i].size()), nullptr) != kOk)
                return failure("query");
        }
        std::vector<SqlRow> rows;
        int code = api_.step(prepared);
        for (; code == kRow; code = api_.step(prepared)) {
            SqlRow row;
            // The first column alone, as in Postfix.
            if (api_.column_type(prepared, 0) != kNull) {
                const auto* bytes = reinterpret_cast<const char*>(api_.column_text(prepared, 0));
                row.emplace_back(
                    std::string(bytes, static_cast<std::size_t>(api_.column_bytes(prepared, 0))));
            }
            rows.push_back(std::move(row));
        }
        if (code != kDone) return failure("query");
        return rows;
    }

    Error failure(std::string_view doing) const {
        return {Errc::temporary, cat({"sqlite: ", doing, ": ",
                                      db_ != nullptr ? api_.errmsg(db_) : "out of memory"})};
    }

    const SqliteApi api_;
    Db* db_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<SqlConnection>> connect_sqlite(const TableSettings& settings,
                                                      const std::string&) {
    const std::string path = settings.get("dbpath");
    if (path.empty()) return Error{Errc::invalid, "no dbpath"};
    TRY_ASSIGN(const SqliteApi api, SqliteApi::load());
    auto connection = std::make_unique<SqliteConnection>(api);
    TRY(connection->open(path));
    return std::unique_ptr<SqlConnection>(std::move(connection));
}

}  // namespace postern::table
