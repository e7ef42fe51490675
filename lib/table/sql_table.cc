#include "lib/table/sql_table.h"

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/table/kept_connection.h"

namespace postern::table {

Result<std::unique_ptr<Table>> SqlTable::open(SqlConnect connect, std::string_view path,
                                              Fold fold) {
    TRY_ASSIGN(auto settings, TableSettings::read(std::string(path)));
    std::unique_ptr<SqlTable> table(new SqlTable(connect, std::move(settings), fold));
    TRY_ASSIGN(const std::string statement, statement_of(table->settings_));
    auto parsed = SqlTemplate::parse(statement);
    if (!parsed) return std::move(parsed).error().within(path);
    table->statement_ = std::move(*parsed);
    TRY_ASSIGN(table->rules_, ResultRules::from(table->settings_));
    return std::unique_ptr<Table>(std::move(table));
}

// The first host that answers; all of them are tried.
Result<void> SqlTable::open_connection() {
    auto hosts = settings_.list("hosts");
    if (hosts.empty()) hosts.emplace_back("localhost");
    std::string why;
    for (const auto& host : hosts) {
        auto connected = connect_(settings_, host);
        if (connected) {
            connection_ = std::move(*connected);
            return {};
        }
        why += cat({why.empty() ? "" : "; ", connected.error().what});
    }
    return Error{Errc::temporary, cat({settings_.path(), ": ", why})};
}

Result<std::vector<SqlRow>> SqlTable::run(const std::vector<std::string>& values) {
    return ask_kept(
        connection_, [this] { return open_connection(); },
        [&] { return connection_->run(statement_, values); });
}

Lookup<std::string> SqlTable::lookup(std::string_view given) {
    const std::string key = fold_ == Fold::lower ? fold_case(given) : std::string(given);
    if (key.empty() || key.size() > kMaxKeySize || key.find('\0') != key.npos ||
        !rules_.admits(key))
        return NotFound{};
    std::vector<std::string> values;
    for (const auto& format : statement_.formats) {
        auto value = expand_format(format, key, key);
        if (!value) return NotFound{};  // the key has no such part: it is not asked about
        values.push_back(std::move(*value));
    }
    auto rows = run(values);
    if (!rows) return std::move(rows).error().within(settings_.path());
    std::string answer;
    std::size_t count = 0;
    for (const auto& row : *rows) {
        for (const auto& column : row) {
            if (column) TRY(rules_.append(answer, count, *column, key));
        }
    }
    if (answer.empty()) return NotFound{};
    return answer;
}

}  // namespace postern::table
