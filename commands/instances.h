// Several mail systems on one host (Postfix's MULTI_INSTANCE_README): the primary one, whose
// main.cf lists the configuration directories of the others in multi_instance_directories, and
// those. What postmulti(1) goes through, and in which order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::commands {

struct MailInstance {
    std::string directory;    // of its configuration
    std::string name, group;  // empty: none
    bool enabled = false;     // multi_instance_enable
    // What commands run for it find in their environment, besides MAIL_CONFIG.
    std::vector<std::pair<std::string, std::string>> environment;
};

// The primary instance first. The Error names the configuration that cannot be read.
Result<std::vector<MailInstance>> load_instances(const config::Config& primary);

struct InstanceSelection {
    std::optional<std::string> group;
    std::optional<std::string> name;  // "-": the primary one; or a configuration directory

    bool fits(const MailInstance& instance, bool primary) const;
};

// The place of the one with that name; Errc::not_found.
Result<std::size_t> find_instance(const std::vector<MailInstance>& all, const std::string& name);

// Those selected, in their order; Errc::not_found where none is.
Result<std::vector<MailInstance>> selected(const std::vector<MailInstance>& all,
                                           const InstanceSelection& selection);

// "postfix-out     mta             y         /etc/postfix-out\n"
std::string listed(const MailInstance& instance);

// Which command of postfix(1) is which kind.
struct CommandKinds {
    std::vector<std::string> start, stop, control;

    static CommandKinds from(const config::Config& config);
};

struct Errand {
    const MailInstance* instance;
    std::string command;  // "start", or "check" for an instance that is not enabled
};

// What "postmulti -p COMMAND" does, in order: instances that are not enabled are only checked when
// the others start, and left alone by what needs a running one; they stop in reverse.
std::vector<Errand> errands(const std::vector<MailInstance>& instances, std::string_view command,
                            const CommandKinds& kinds);

}  // namespace postern::commands
