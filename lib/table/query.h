// What the SQL, LDAP and memcache tables have in common: their file of name = value lines, the
// expansion of %s %u %d %1…%9 from the key, domain =, and result_format. Pure, but for reading the
// file.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::table {

// The settings of one table: "name = value" lines as in main.cf.
class TableSettings {
  public:
    static Result<TableSettings> read(const std::string& path);
    static Result<TableSettings> parse(std::string_view path, std::string_view text);

    std::string get(std::string_view name, std::string_view otherwise = "") const;
    bool has(std::string_view name) const { return values_.contains(name); }
    Result<std::size_t> number(std::string_view name, std::size_t otherwise) const;
    Result<bool> flag(std::string_view name, bool otherwise) const;
    std::vector<std::string> list(std::string_view name) const;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
    std::map<std::string, std::string, std::less<>> values_;
};

// Expands %s (the text), %u and %d (its local part and domain), %S %U %D and %1…%9 (of the key:
// itself, its parts, the labels of its domain from the right), %%. `text` is the key itself for
// queries, or one result for result_format. Nothing when a part is asked for that there is not:
// then the question is not asked, or the result left out. `quote` is applied to what comes from
// text or key.
using Quote = std::function<std::string(std::string_view)>;
std::optional<std::string> expand_format(std::string_view format, std::string_view text,
                                         std::string_view key, const Quote& quote = {});

// An SQL statement whose % expansions have become parameters: the texts around them, and the format
// of each. A quoted string with a % in it ('%s', '%u@%d') is one parameter as a whole, so that
// nothing of the key is ever part of the statement.
struct SqlTemplate {
    std::vector<std::string> texts;    // one more than formats
    std::vector<std::string> formats;  // for expand_format

    static Result<SqlTemplate> parse(std::string_view statement);
};

// From "query", or from Postfix's older table, select_field, where_field, additional_conditions.
Result<std::string> statement_of(const TableSettings& settings);

// Which keys are asked about (domain =), and how results become the answer.
struct ResultRules {
    std::vector<std::string> domains;  // empty: all keys
    std::string format = "%s";
    std::size_t limit = 0;  // expansion_limit; 0: none

    static Result<ResultRules> from(const TableSettings& settings);
    bool admits(std::string_view key) const;
    // Appends one result to answer as the format says. The Error: too many of them.
    Result<void> append(std::string& answer, std::size_t& count, std::string_view result,
                        std::string_view key) const;
};

}  // namespace postern::table
