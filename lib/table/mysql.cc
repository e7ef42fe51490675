// The MySQL and MariaDB side of sql_table.h: hosts, user, password, dbname as in Postfix's
// mysql_table(5). Parameters are written as hexadecimal numbers with the character set in front,
// which no byte of a key can leave.
#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/base/shared_library.h"
#include "lib/table/sql_table.h"

namespace postern::table {
namespace {

// What <mysql.h> declares, as far as it is used here (libmariadb 3).
struct Handle;
struct Answer;
constexpr int kConnectTimeout = 0, kCharset = 7, kReadTimeout = 11,
              kWriteTimeout = 12;  // enum mysql_option
constexpr unsigned kServerGone = 2006, kServerLost = 2013;
constexpr unsigned kConnectSeconds = 10, kAnswerSeconds = 30;

struct MysqlApi {
    Handle* (*init)(Handle*) = nullptr;
    int (*options)(Handle*, int, const void*) = nullptr;
    Handle* (*connect)(Handle*, const char*, const char*, const char*, const char*, unsigned,
                       const char*, unsigned long) = nullptr;
    int (*query)(Handle*, const char*, unsigned long) = nullptr;
    Answer* (*store)(Handle*) = nullptr;
    unsigned (*fields)(Answer*) = nullptr;
    char** (*fetch)(Answer*) = nullptr;
    unsigned long* (*lengths)(Answer*) = nullptr;
    void (*free_result)(Answer*) = nullptr;
    const char* (*error)(Handle*) = nullptr;
    unsigned (*errno_of)(Handle*) = nullptr;
    void (*close)(Handle*) = nullptr;

    static Result<MysqlApi> load() {
        TRY_ASSIGN(SharedLibrary library, SharedLibrary::open("libmariadb.so.3", "libmariadb3"));
        MysqlApi api;
        library.bind(api.init, "mysql_init")
            .bind(api.options, "mysql_options")
            .bind(api.connect, "mysql_real_connect")
            .bind(api.query, "mysql_real_query")
            .bind(api.store, "mysql_store_result")
            .bind(api.fields, "mysql_num_fields")
            .bind(api.fetch, "mysql_fetch_row")
            .bind(api.lengths, "mysql_fetch_lengths")
            .bind(api.free_result, "mysql_free_result")
            .bind(api.error, "mysql_error")
            .bind(api.errno_of, "mysql_errno")
            .bind(api.close, "mysql_close");
        TRY(library.check());
        return api;
    }
};

class MysqlConnection final : public SqlConnection {
  public:
    MysqlConnection(const MysqlApi& api, Handle* handle) : api_(api), handle_(handle) {}
    ~MysqlConnection() override { api_.close(handle_); }
    MysqlConnection(const MysqlConnection&) = delete;
    MysqlConnection& operator=(const MysqlConnection&) = delete;

    Result<void> open(const TableSettings& settings, std::string host) {
        unsigned port = 0;
        std::string socket;
        if (host.starts_with("unix:")) {
            socket = host.substr(5);
            host = "localhost";
        } else {
            if (host.starts_with("inet:")) host.erase(0, 5);
            if (const std::size_t colon = host.rfind(':'); colon != host.npos) {
                const auto number =
                    parse_number<unsigned>(std::string_view(host).substr(colon + 1));
                if (!number) return Error{Errc::invalid, cat({"mysql: bad port in ", host})};
                port = *number;
                host.erase(colon);
            }
        }
        const std::string user = settings.get("user"), password = settings.get("password");
        const std::string database = settings.get("dbname"),
                          charset = settings.get("charset", "utf8mb4");
        for (const char c : charset) {
            if (!is_alnum(c)) return Error{Errc::invalid, cat({"mysql: bad charset: ", charset})};
        }
        api_.options(handle_, kConnectTimeout, &kConnectSeconds);
        api_.options(handle_, kReadTimeout, &kAnswerSeconds);
        api_.options(handle_, kWriteTimeout, &kAnswerSeconds);
        api_.options(handle_, kCharset, charset.c_str());
        introducer_ = cat({"_", charset, " 0x"});
        if (api_.connect(handle_, host.c_str(), user.c_str(), password.c_str(), database.c_str(),
                         port, socket.empty() ? nullptr : socket.c_str(), 0) == nullptr)
            return failure("connect");
        return {};
    }

    Result<std::vector<SqlRow>> run(const SqlTemplate& statement,
                                    const std::vector<std::string>& values) override {
        std::string text = statement.texts[0];
        for (std::size_t i = 0; i < values.size(); ++i) {
            text += values[i].empty() ? std::string("''") : introducer_ + hex_encode(values[i]);
            text += statement.texts[i + 1];
        }
        if (api_.query(handle_, text.data(), text.size()) != 0) return failure("query");
        Answer* answer = api_.store(handle_);
        if (answer == nullptr) return failure("query");
        std::vector<SqlRow> rows;
        while (char** columns = api_.fetch(answer)) {
            const unsigned long* lengths = api_.lengths(answer);
            SqlRow row;
            for (unsigned i = 0; i < api_.fields(answer); ++i) {
                if (columns[i] == nullptr) row.emplace_back();
                if (columns[i] != nullptr) row.emplace_back(std::string(columns[i], lengths[i]));
            }
            rows.push_back(std::move(row));
        }
        api_.free_result(answer);
        if (api_.errno_of(handle_) != 0) return failure("query");
        return rows;
    }

  private:
    Error failure(std::string_view doing) const {
        const unsigned number = api_.errno_of(handle_);
        const bool lost = number == kServerGone || number == kServerLost;
        return {lost ? Errc::closed : Errc::temporary,
                cat({"mysql: ", doing, ": ", api_.error(handle_)})};
    }

    const MysqlApi api_;
    Handle* handle_;
    std::string introducer_;
};

}  // namespace

Result<std::unique_ptr<SqlConnection>> connect_mysql(const TableSettings& settings,
                                                     const std::string& host) {
    TRY_ASSIGN(const MysqlApi api, MysqlApi::load());
    Handle* handle = api.init(nullptr);
    if (handle == nullptr) return Error{Errc::temporary, "mysql: out of memory"};
    auto connection = std::make_unique<MysqlConnection>(api, handle);
    TRY(connection->open(settings, host));
    return std::unique_ptr<SqlConnection>(std::move(connection));
}

}  // namespace postern::table
