// What values refer to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/config/settings.h"

namespace postern::config {

// Names that a value refers to as $name, ${name} or $(name) and that have no value anywhere. What
// asks whether there is one, ${name?…}, may name what is not there.
std::vector<std::string> undefined_names(std::string_view text, const Settings& settings);

}  // namespace postern::config
