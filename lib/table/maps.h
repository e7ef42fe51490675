// Maps: "hash:/etc/a, hash:/etc/b" — the value of a *_maps parameter. The first table that has the
// key answers; a table that fails ends the search with its failure, because a later table's answer
// might be the wrong one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/table/table.h"

namespace postern::table {

// What a key is: a whole one, which every table sees, or a part of an address ("@example.com",
// "user@"), which tables of patterns do not see.
enum class KeyKind : bool { whole, part };

class Maps {
  public:
    Maps();
    // Never fails: a table that cannot be opened now answers every lookup with that failure, and
    // opening is tried again a second later.
    static Maps open(std::string_view list, Fold fold = Fold::lower);
    static Maps of(std::vector<std::unique_ptr<Table>> tables);  // for tests
    Maps(Maps&&) noexcept;
    Maps& operator=(Maps&&) noexcept;
    ~Maps();

    bool empty() const;
    Lookup<std::string> find(std::string_view key, KeyKind kind = KeyKind::whole);
    // After a find() that found something: where, "hash:/etc/a" or "cidr:/etc/b line 3".
    std::string matched() const;
    // Failures to open the tables, for one warning at start.
    std::vector<Error> problems();

  private:
    struct Member;
    std::vector<Member> members_;
    std::size_t matched_ = 0;
};

}  // namespace postern::table
