// memcache: tables (Postfix's memcache_table(5)): a memcached server in front of a backup table, or
// alone. What the backup knows is put into memcached with the first lookup; a server that is away
// costs its time limit and no answer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/table/query.h"
#include "lib/table/stream.h"
#include "lib/table/table.h"

namespace postern::table {

class MemcacheTable final : public Table {
  public:
    using OpenBackup = std::function<Result<std::unique_ptr<Table>>(std::string_view spec)>;

    // Reads the table's file; connects with the first lookup.
    static Result<std::unique_ptr<Table>> open(std::string_view path, Fold fold,
                                               const OpenBackup& open_backup);

    Lookup<std::string> lookup(std::string_view key) override;

  private:
    MemcacheTable() = default;
    Result<void> take(const TableSettings& settings);
    // The name that a key has in memcached; nothing for one that the protocol cannot carry.
    std::optional<std::string> name_of(std::string_view key) const;
    Lookup<std::string> ask(std::string_view name);
    Lookup<std::string> fetch(std::string_view name, const Deadline& deadline);
    Result<void> store(std::string_view name, std::string_view value);
    Result<void> put(std::string_view name, std::string_view value, const Deadline& deadline);
    Result<void> connect(const Deadline& deadline);

    std::string path_, address_, key_format_;
    ResultRules rules_;  // of which only the domains are used
    Fold fold_ = Fold::lower;
    std::size_t flags_ = 0, seconds_to_live_ = 0, data_limit_ = 0, line_limit_ = 0, tries_ = 0;
    Millis timeout_{}, retry_pause_{};
    std::unique_ptr<Table> backup_;
    std::optional<Stream> stream_;
};

}  // namespace postern::table
