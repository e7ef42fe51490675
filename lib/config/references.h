// What values refer to.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/config/settings.h"

namespace postern::config {

// Finds names that values refer to as $name, ${name}, $(name) or ${name?…} and that have no value
// anywhere. A name that an -o option of any service sets is defined: values in main.cf may be there
// for that service only.
class UndefinedNames {
  public:
    // Borrows settings.
    UndefinedNames(const Settings& settings, const MasterFile& master);

    // Of the value of parameter `name`. None for one that keeps its $name for its user, who knows
    // more names (Type::Template).
    std::vector<std::string> in(std::string_view name, std::string_view text) const;

  private:
    const Settings& settings_;
    std::set<std::string, std::less<>> options_;
};

}  // namespace postern::config
