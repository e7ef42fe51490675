// The PostgreSQL side of sql_table.h: hosts, user, password, dbname as in Postfix's pgsql_table(5);
// a host may also be a whole connection URI. encoding is UTF8 unless set.
#include "lib/base/strings.h"
#include "lib/base/shared_library.h"
#include "lib/table/sql_table.h"

namespace postern::table {
namespace {

// What <libpq-fe.h> declares, as far as it is used here (libpq 5).
struct Conn;
struct Answer;
constexpr int kConnectionOk = 0, kTuplesOk = 2;
constexpr const char* kPgPatience = "10";  // seconds to connect
// A question that takes longer is given up by the server.
constexpr const char* kOptions = "-c statement_timeout=30000";

struct PgsqlApi {
    Conn* (*connect)(const char* const*, const char* const*, int) = nullptr;
    int (*status)(const Conn*) = nullptr;
    void (*finish)(Conn*) = nullptr;
    char* (*error)(const Conn*) = nullptr;
    Answer* (*exec)(Conn*, const char*, int, const unsigned*, const char* const*, const int*,
                    const int*, int) = nullptr;
    int (*answer_status)(const Answer*) = nullptr;
    int (*rows)(const Answer*) = nullptr;
    int (*columns)(const Answer*) = nullptr;
    int (*is_null)(const Answer*, int, int) = nullptr;
    char* (*value)(const Answer*, int, int) = nullptr;
    int (*length)(const Answer*, int, int) = nullptr;
    void (*clear)(Answer*) = nullptr;

    static Result<PgsqlApi> load() {
        TRY_ASSIGN(SharedLibrary library, SharedLibrary::open("libpq.so.5", "libpq5"));
        PgsqlApi api;
        library.bind(api.connect, "PQconnectdbParams")
            .bind(api.status, "PQstatus")
            .bind(api.finish, "PQfinish")
            .bind(api.error, "PQerrorMessage")
            .bind(api.exec, "PQexecParams")
            .bind(api.answer_status, "PQresultStatus")
            .bind(api.rows, "PQntuples")
            .bind(api.columns, "PQnfields")
            .bind(api.is_null, "PQgetisnull")
            .bind(api.value, "PQgetvalue")
            .bind(api.length, "PQgetlength")
            .bind(api.clear, "PQclear");
        TRY(library.check());
        return api;
    }
};

class PgsqlConnection final : public SqlConnection {
  public:
    PgsqlConnection(const PgsqlApi& api, Conn* conn) : api_(api), conn_(conn) {}
    ~PgsqlConnection() override { api_.finish(conn_); }
    PgsqlConnection(const PgsqlConnection&) = delete;
    PgsqlConnection& operator=(const PgsqlConnection&) = delete;

    Result<void> check() const {
        if (api_.status(conn_) == kConnectionOk) return {};
        return Error{Errc::temporary, cat({"pgsql: connect: ", trim(api_.error(conn_))})};
    }

    Result<std::vector<SqlRow>> run(const SqlTemplate& statement,
                                    const std::vector<std::string>& values) override {
        std::string text = statement.texts[0];
        for (std::size_t i = 1; i < statement.texts.size(); ++i) {
            text += cat({"$", std::to_string(i), statement.texts[i]});
        }
        std::vector<const char*> parameters;
        for (const auto& value : values) parameters.push_back(value.c_str());
        Answer* answer = api_.exec(conn_, text.c_str(), static_cast<int>(parameters.size()),
                                   nullptr, parameters.data(), nullptr, nullptr, 0);
        if (answer == nullptr || api_.answer_status(answer) != kTuplesOk) {
            const bool lost = api_.status(conn_) != kConnectionOk;
            Error error{lost ? Errc::closed : Errc::temporary,
                        cat({"pgsql: query: ", trim(api_.error(conn_))})};
            if (answer != nullptr) api_.clear(answer);
            return error;
        }
        std::vector<SqlRow> rows = rows_of(answer);
        api_.clear(answer);
        return rows;
    }

  private:
    std::vector<SqlRow> rows_of(const Answer* answer) const {
        std::vector<SqlRow> rows;
        for (int r = 0; r < api_.rows(answer); ++r) {
            SqlRow row;
            for (int c = 0; c < api_.columns(answer); ++c) {
                if (api_.is_null(answer, r, c) != 0) {
                    row.emplace_back();
                } else {
                    row.emplace_back(
                        std::string(api_.value(answer, r, c),
                                    static_cast<std::size_t>(api_.length(answer, r, c))));
                }
            }
            rows.push_back(std::move(row));
        }
        return rows;
    }

    const PgsqlApi api_;
    Conn* conn_;
};

}  // namespace

Result<std::unique_ptr<SqlConnection>> connect_pgsql(const TableSettings& settings,
                                                     const std::string& given) {
    TRY_ASSIGN(const PgsqlApi api, PgsqlApi::load());
    std::vector<std::pair<std::string, std::string>> words;
    std::string host = given;
    if (host.starts_with("postgresql://") || host.starts_with("postgres://")) {
        words.emplace_back("dbname", host);
    } else {
        if (host.starts_with("unix:")) host.erase(0, 5);
        if (host.starts_with("inet:")) host.erase(0, 5);
        const std::size_t colon = host.starts_with('/') ? host.npos : host.rfind(':');
        words.emplace_back("host", host.substr(0, colon));
        if (colon != host.npos) words.emplace_back("port", host.substr(colon + 1));
        for (const auto* name : {"user", "password", "dbname"}) {
            if (settings.has(name)) words.emplace_back(name, settings.get(name));
        }
    }
    words.emplace_back("connect_timeout", kPgPatience);
    words.emplace_back("options", kOptions);
    words.emplace_back("client_encoding", settings.get("encoding", "UTF8"));
    std::vector<const char*> names, values;
    for (const auto& [name, value] : words) {
        names.push_back(name.c_str());
        values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    Conn* conn = api.connect(names.data(), values.data(), 1);
    if (conn == nullptr) return Error{Errc::temporary, "pgsql: out of memory"};
    auto connection = std::make_unique<PgsqlConnection>(api, conn);
    TRY(connection->check());
    return std::unique_ptr<SqlConnection>(std::move(connection));
}

}  // namespace postern::table
