// Tables of patterns, read in order, the first that matches wins: regexp: and pcre:
// ("/pattern/flags result",
// "!/pattern/ result", if … endif, $1 in results) and cidr: ("network/bits result", "!network", if
// … endif). As in Postfix, a line that is wrong is left out with a warning. The file is read again
// when it changes.
#pragma once

#include <memory>
#include <string>

#include "lib/table/table.h"

namespace postern::table {

class PatternTable : public Table {
  public:
    enum class Kind : unsigned char { regexp, pcre, cidr };

    // A file, or the rules themselves: "{ {/pattern/ result}, {/other/ result} }".
    static Result<std::unique_ptr<Table>> open(Kind kind, const std::string& path);
    // `name` is for error messages: "name, line 3: …".
    static Result<std::unique_ptr<Table>> parse(Kind kind, std::string_view name,
                                                std::string_view text);

    bool patterns() const final { return true; }

  private:
    static Result<std::string> inline_rules(const std::string& spec);
};

}  // namespace postern::table
