// The life of an instance (postmulti -e): made, taken in, renamed, enabled, disabled, given away,
// removed. What changes is main.cf of the instance and, for the list, of the primary one; each file
// is replaced in one step.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/config/config.h"

#include "commands/instances.h"

namespace postern::commands {

struct InstanceEdit {
    std::string action;
    std::optional<std::string> existing;      // -i
    std::optional<std::string> before_group;  // -g, for create and import
    bool first = false;                       // -a, likewise
    std::optional<std::string> name, group;   // -I, -G; "-": none
    std::vector<std::string> assignments;     // "queue_directory=/path"
};

// The Error says what is wrong; nothing is changed then, but by `destroy`, which tells what it
// left.
// `prepare` makes the folders of a new one's queue, with their owners.
using PrepareFolders = std::function<Result<void>(const config::Config&)>;
Result<void> edit_instance(const config::Config& primary, const InstanceEdit& edit,
                           const PrepareFolders& prepare);

}  // namespace postern::commands
