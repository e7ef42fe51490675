#include "commands/instances.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "lib/base/strings.h"

namespace postern::commands {
namespace {

MailInstance instance_of(const config::Config& config) {
    MailInstance instance;
    instance.directory = config.directory();
    instance.name = config.get(param::multi_instance_name);
    instance.group = config.get(param::multi_instance_group);
    instance.enabled = config.get(param::multi_instance_enable);
    instance.environment = {
        {"config_directory", instance.directory},
        {"command_directory", config.get(param::command_directory)},
        {"daemon_directory", config.get(param::daemon_directory)},
        {"queue_directory", config.get(param::queue_directory)},
        {"data_directory", config.get(param::data_directory)},
        {"multi_instance_name", instance.name},
        {"multi_instance_group", instance.group},
        {"multi_instance_enable", instance.enabled ? "yes" : "no"},
    };
    return instance;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

Result<std::vector<MailInstance>> load_instances(const config::Config& primary) {
    std::vector<MailInstance> all{instance_of(primary)};
    for (const std::string& directory : primary.get(param::multi_instance_directories)) {
        if (!directory.starts_with('/'))
            return Error{Errc::invalid, cat({"multi_instance_directories: ", directory,
                                             ": not an absolute path"})};
        auto config = config::Config::load(directory);
        if (!config) return std::move(config).error().within(cat({"instance ", directory}));
        all.push_back(instance_of(*config));
        const MailInstance& last = all.back();
        const auto same = std::find_if(all.begin(), all.end() - 1, [&](const MailInstance& other) {
            return other.directory == last.directory ||
                   (!last.name.empty() && other.name == last.name);
        });
        if (same != all.end() - 1)
            return Error{Errc::invalid, cat({"instances ", same->directory, " and ", last.directory,
                                             " have the same name or directory"})};
    }
    return all;
}

bool InstanceSelection::fits(const MailInstance& instance, bool primary) const {
    if (group && instance.group != *group) return false;
    if (!name) return true;
    if (*name == "-") return primary;
    return name->starts_with('/') ? instance.directory == *name : instance.name == *name;
}

Result<std::size_t> find_instance(const std::vector<MailInstance>& all, const std::string& name) {
    const InstanceSelection wanted{.group = {}, .name = name};
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (wanted.fits(all[i], i == 0)) return i;
    }
    return Error{Errc::not_found, cat({"no instance is called ", printable(name, 200)})};
}

Result<std::vector<MailInstance>> selected(const std::vector<MailInstance>& all,
                                           const InstanceSelection& selection) {
    std::vector<MailInstance> found;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (selection.fits(all[i], i == 0)) found.push_back(all[i]);
    }
    if (found.empty()) return Error{Errc::not_found, "no instance fits -g or -i"};
    return found;
}

std::string listed(const MailInstance& instance) {
    const auto field = [](const std::string& text) {
        std::string padded = text.empty() ? "-" : text;
        padded.resize(std::max<std::size_t>(padded.size(), 15), ' ');
        return padded + " ";
    };
    return cat({field(instance.name), field(instance.group), instance.enabled ? "y" : "n",
                "         ", instance.directory, "\n"});
}

CommandKinds CommandKinds::from(const config::Config& config) {
    return {.start = config.get(param::postmulti_start_commands),
            .stop = config.get(param::postmulti_stop_commands),
            .control = config.get(param::postmulti_control_commands)};
}

std::vector<Errand> errands(const std::vector<MailInstance>& instances, std::string_view command,
                            const CommandKinds& kinds) {
    const bool starts = contains(kinds.start, command);
    const bool stops = contains(kinds.stop, command);
    const bool needs_running = stops || contains(kinds.control, command);
    std::vector<Errand> list;
    for (const MailInstance& instance : instances) {
        if (!instance.enabled && needs_running) continue;
        const bool only_check = starts && !instance.enabled;
        list.push_back({&instance, only_check ? "check" : std::string(command)});
    }
    if (stops) std::reverse(list.begin(), list.end());
    return list;
}

}  // namespace postern::commands
