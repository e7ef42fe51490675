// Table: the one interface of every lookup table, with three outcomes (found, not there, could not
// tell). Tables answer about one key; the order in which the parts of an address are tried is
// address_lookup.h, several tables in a row are maps.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/lookup.h"

namespace postern::table {

// No key and no pattern of ours is longer; a longer question is simply not in any table.
inline constexpr std::size_t kMaxKeySize = 4096;
// Source files, lists and passwd-files are read whole, up to this size.
inline constexpr std::size_t kMaxFileSize = 64u << 20;

// Whether keys are folded to lower case before they are looked up (postmap -f: keep).
enum class Fold : bool { keep, lower };

class Table {
  public:
    using Visitor = std::function<void(std::string_view key, std::string_view value)>;

    virtual ~Table() = default;

    virtual Lookup<std::string> lookup(std::string_view key) = 0;

    // Many lookups in a row: between these two, what they have in common (a lock, the look whether
    // the file has changed) is done once. Nobody is to be waited for meanwhile: who rebuilds the
    // table waits for us.
    virtual void hold() {}
    virtual void release() {}

    // Tables of patterns (regexp, cidr, fail) are asked with whole keys only: "example.com" or
    // "user@" as a part of an address would match what their author never meant.
    virtual bool patterns() const { return false; }

    // After a lookup that found something: the line of the table's source where it stands; 0 where
    // the table does not know (a compiled one, a server).
    virtual int matched_line() const { return 0; }

    // Lines of the table's source that are wrong and left out.
    virtual std::vector<std::string> warnings() const { return {}; }

    // Every entry, for postmap -s. Errc::invalid for a type that cannot list.
    virtual Result<void> each(const Visitor& visit);
};

// A table that could not be opened: every lookup fails with the reason, so that mail is deferred
// while the administrator repairs it.
class UnavailableTable final : public Table {
  public:
    explicit UnavailableTable(Error reason) : reason_(std::move(reason)) {}
    Lookup<std::string> lookup(std::string_view) override { return reason_; }

  private:
    Error reason_;
};

}  // namespace postern::table
