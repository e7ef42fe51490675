#include "commands/instance_edit.h"

#include <fcntl.h>

#include <algorithm>
#include <map>

#include "lib/base/strings.h"
#include "lib/config/settings.h"
#include "lib/log/log.h"
#include "lib/queue/directories.h"
#include "lib/queue/reader.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"

#include "commands/postconf.h"
#include "commands/postern_control.h"

namespace postern::commands {
namespace {

constexpr std::string_view kDirectories[] = {"config_directory", "queue_directory",
                                             "data_directory"};
// Of the primary instance's main.cf, what is true for all: where programs are, and whose they are.
constexpr std::string_view kShared[] = {
    "compatibility_level", "command_directory",    "daemon_directory", "mail_owner",
    "setgid_group",        "sendmail_path",        "mailq_path",       "newaliases_path",
    "maillog_file",        "maillog_file_prefixes"};
constexpr std::string_view kQueueFolders[] = {
    "active",   "bounce",    "corrupt", "defer",   "deferred", "flush", "hold", "incoming",
    "maildrop", "mailtrace", "pid",     "private", "public",   "saved", "trace"};
constexpr std::string_view kNewMainCf =
    "# One of several mail systems of this host (postmulti(1)). It takes no mail from the network "
    "and\n"
    "# none of local users until master_service_disable and authorized_submit_users say otherwise, "
    "and\n"
    "# \"postmulti -e enable\" lets it start with the others.\n";
constexpr std::size_t kMaxConfigurationFile = 10u << 20;

Error invalid(std::string text) { return {Errc::invalid, std::move(text)}; }

bool exists(const std::string& path) { return sys::RealFs::instance().info(path).has_value(); }

std::string main_cf(const std::string& directory) { return cat({directory, "/main.cf"}); }

Result<void> set(const std::string& directory, const std::vector<std::string>& assignments) {
    if (assignments.empty()) return {};
    TRY_ASSIGN(const std::string text, sys::read_file(main_cf(directory), kMaxConfigurationFile));
    TRY_ASSIGN(const std::string edited,
               edit_main(text, PostconfOptions::Change::set, assignments));
    return sys::replace_file(main_cf(directory), edited);
}

// multi_instance_name and multi_instance_group as -I and -G want them.
Result<std::vector<std::string>> naming(const InstanceEdit& edit) {
    std::vector<std::string> all;
    if (edit.name) {
        if (*edit.name != "-" && !edit.name->starts_with("postfix-"))
            return invalid(
                cat({"an instance's name begins with \"postfix-\": ", printable(*edit.name, 200)}));
        if (edit.name->find_first_of("/ \t\n$") != std::string::npos)
            return invalid(cat({"bad character in the name ", printable(*edit.name, 200)}));
        all.push_back(cat({"multi_instance_name=", *edit.name == "-" ? "" : *edit.name}));
    }
    if (edit.group) {
        if (edit.group->find_first_of("/ \t\n$") != std::string::npos)
            return invalid(cat({"bad character in the group ", printable(*edit.group, 200)}));
        all.push_back(cat({"multi_instance_group=", *edit.group == "-" ? "" : *edit.group}));
    }
    return all;
}

// The list of the primary instance, without a directory or with it in its place.
Result<void> write_list(const config::Config& primary, const std::vector<MailInstance>& all,
                        const std::string& changed, std::optional<std::size_t> place) {
    std::vector<std::string> directories;
    for (std::size_t i = 1; i < all.size(); ++i) directories.push_back(all[i].directory);
    std::erase(directories, changed);
    if (place)
        directories.insert(
            directories.begin() + static_cast<std::ptrdiff_t>(std::min(*place, directories.size())),
            changed);
    return set(primary.directory(), {cat({"multi_instance_directories=", join(directories, " ")})});
}

// Where a new one goes among the secondary instances: -a, -g and -i.
Result<std::size_t> place_for(const InstanceEdit& edit, const std::vector<MailInstance>& all) {
    if (edit.first) return 0U;
    if (edit.existing) {
        TRY_ASSIGN(const std::size_t at, find_instance(all, *edit.existing));
        return at == 0 ? 0 : at - 1;
    }
    if (edit.before_group) {
        for (std::size_t i = 1; i < all.size(); ++i) {
            if (all[i].group == *edit.before_group) return i - 1;
        }
        return Error{Errc::not_found, cat({"no instance is in the group ", *edit.before_group})};
    }
    return all.size() - 1;
}

// Its directories: as given, or beside those of the primary instance under its name.
Result<std::map<std::string, std::string>> directories_for(const config::Config& primary,
                                                           const InstanceEdit& edit) {
    std::map<std::string, std::string> found;
    for (const std::string& assignment : edit.assignments) {
        const auto parts = split_once(assignment, '=');
        const std::string name(parts ? trim(parts->first) : std::string_view(assignment));
        const bool known = std::find(std::begin(kDirectories), std::end(kDirectories), name) !=
                           std::end(kDirectories);
        if (!parts || !known)
            return invalid(
                cat({"\"", printable(assignment, 200),
                     "\": only config_directory=, queue_directory= and data_directory="}));
        found[name] = trim(parts->second);
    }
    for (const std::string_view name : kDirectories) {
        std::string& path = found[std::string(name)];
        if (path.empty()) {
            if (!edit.name || *edit.name == "-")
                return invalid(cat({"without a name (-I) it needs ", name, "=/path"}));
            const std::string own = name == "config_directory" ? primary.directory()
                                    : name == "queue_directory"
                                        ? primary.get(param::queue_directory)
                                        : primary.get(param::data_directory);
            path = cat({std::string_view(own).substr(0, own.rfind('/')), "/", *edit.name});
        }
        if (!path.starts_with('/') || path.find_first_of(" \t\n$") != std::string::npos)
            return invalid(cat({name, ": ", printable(path, 200), ": must be an absolute path"}));
    }
    return found;
}

Result<void> make_folders(const std::string& path) {
    auto& fs = sys::RealFs::instance();
    for (std::size_t end = path.find('/', 1); !exists(path);
         end = end == std::string::npos ? end : path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        if (exists(part)) continue;
        TRY(fs.make_directory(part, 0700));
        TRY(fs.set_mode(part, 0755));
    }
    return {};
}

Result<void> write_configuration(const config::Config& primary,
                                 const std::map<std::string, std::string>& directories) {
    const std::string& directory = directories.at("config_directory");
    std::vector<std::string> settings = {
        cat({"queue_directory=", directories.at("queue_directory")}),
        cat({"data_directory=", directories.at("data_directory")}),
        "authorized_submit_users=", "master_service_disable=inet", "multi_instance_enable=no"};
    config::Settings of_primary(primary.directory());
    TRY(of_primary.read());
    for (const std::string_view name : kShared) {
        const auto value = of_primary.set_values().find(std::string(name));
        if (value != of_primary.set_values().end())
            settings.push_back(cat({name, "=", value->second.text}));
    }
    TRY_ASSIGN(const std::string services,
               sys::read_file(cat({primary.directory(), "/master.cf"}), kMaxConfigurationFile));
    TRY_ASSIGN(const std::string text,
               edit_main(kNewMainCf, PostconfOptions::Change::set, settings));
    for (const auto& [name, path] : directories) TRY(make_folders(path));
    TRY(sys::replace_file(main_cf(directory), text));
    return sys::replace_file(cat({directory, "/master.cf"}), services);
}

Result<void> create(const config::Config& primary, const InstanceEdit& edit,
                    const std::vector<MailInstance>& all, const PrepareFolders& prepare) {
    TRY_ASSIGN(const auto directories, directories_for(primary, edit));
    const std::string& directory = directories.at("config_directory");
    TRY_ASSIGN(const auto names, naming(edit));
    TRY_ASSIGN(const std::size_t place, place_for(edit, all));
    for (const MailInstance& other : all) {
        if (other.directory == directory) return invalid(cat({directory, ": an instance already"}));
        if (edit.name && *edit.name != "-" && other.name == *edit.name)
            return invalid(cat({*edit.name, ": the name of ", other.directory}));
    }
    for (const std::string_view file : {"/main.cf", "/master.cf"}) {
        if (edit.action == "import" && !exists(cat({directory, file})))
            return Error{Errc::not_found, cat({directory, " has no ", file.substr(1)})};
    }
    if (!exists(main_cf(directory)) || !exists(cat({directory, "/master.cf"})))
        TRY(write_configuration(primary, directories));
    TRY(set(directory, names));
    TRY(write_list(primary, all, directory, place));
    TRY_ASSIGN(const auto config, config::Config::load(directory));
    return prepare(config);
}

Result<void> must_be_stopped(const MailInstance& instance) {
    TRY_ASSIGN(const auto config, config::Config::load(instance.directory));
    TRY_ASSIGN(const bool running, is_running(config));
    if (running)
        return Error{Errc::denied,
                     cat({"instance ", instance.directory, " is running: stop it first"})};
    return {};
}

// A queue file that is kept to be written over, and holds no later message (reused-files.md).
bool is_finished(const std::string& path, std::string_view name) {
    const auto id = queue::spare_id(name);
    if (!id) return false;
    auto& fs = sys::RealFs::instance();
    const auto file = fs.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (!file) return false;
    const auto first = queue::first_message(fs, file->get());
    return first && *first == *id;
}

Result<bool> has_mail(const std::string& queue) {
    auto& fs = sys::RealFs::instance();
    for (const std::string_view folder :
         {"maildrop", "incoming", "active", "deferred", "hold", "corrupt"}) {
        const std::string path = cat({queue, "/", folder});
        if (!exists(path)) continue;
        TRY_ASSIGN(const auto entries, fs.list(path));
        for (const auto& entry : entries) {
            if (folder == "incoming" && is_finished(cat({path, "/", entry.name}), entry.name))
                continue;
            if (folder != "deferred") return true;
            TRY_ASSIGN(const auto inner, fs.list(cat({path, "/", entry.name})));
            if (!inner.empty()) return true;
        }
    }
    return false;
}

// Only what is empty, or was made by us and holds nothing (sockets, pid files, traces).
void clear_away(const std::string& path) {
    if (auto gone = sys::RealFs::instance().remove_directory(path); !gone && exists(path))
        log::warning("", cat({path, ": please verify contents and remove by hand"}));
}

void clear_folder(const std::string& path, bool with_files) {
    auto& fs = sys::RealFs::instance();
    const auto entries = fs.list(path);
    if (!entries) return;
    for (const auto& entry : *entries) {
        const std::string inner = cat({path, "/", entry.name});
        const auto info = fs.info(inner);
        if (!info) continue;
        if (info->kind == sys::FileInfo::Kind::directory)
            static_cast<void>(
                fs.remove_directory(inner));  // deferred/x: what is left is told below
        else if (with_files || info->kind != sys::FileInfo::Kind::regular)
            static_cast<void>(fs.unlink(inner));  // likewise
    }
    clear_away(path);
}

Result<void> destroy(const config::Config& primary, const std::vector<MailInstance>& all,
                     const MailInstance& instance) {
    if (instance.enabled)
        return Error{Errc::denied,
                     cat({"instance ", instance.directory, " is enabled: disable it first"})};
    TRY(must_be_stopped(instance));
    TRY_ASSIGN(const auto config, config::Config::load(instance.directory));
    const std::string queue = config.get(param::queue_directory);
    TRY_ASSIGN(const bool mail, has_mail(queue));
    if (mail) return Error{Errc::denied, cat({"the queue ", queue, " has mail"})};
    TRY(write_list(primary, all, instance.directory, {}));
    for (const std::string_view folder : kQueueFolders) {
        // What is in incoming/ is finished, as there is no mail.
        const bool ours =
            folder == "pid" || folder == "mailtrace" || folder == "flush" || folder == "incoming";
        if (exists(cat({queue, "/", folder}))) clear_folder(cat({queue, "/", folder}), ours);
    }
    clear_away(config.get(param::data_directory));
    clear_away(queue);
    for (const std::string_view file : {"/master.cf", "/main.cf"})
        TRY(sys::RealFs::instance().unlink(cat({instance.directory, file})));
    clear_away(instance.directory);
    return {};
}

Result<void> edit_existing(const config::Config& primary, const InstanceEdit& edit,
                           const std::vector<MailInstance>& all) {
    if (!edit.existing) return invalid(cat({"-e ", edit.action, " needs -i name"}));
    if (!edit.assignments.empty())
        return invalid(cat({"-e ", edit.action, " takes no name=value"}));
    TRY_ASSIGN(const std::size_t at, find_instance(all, *edit.existing));
    const MailInstance& instance = all[at];
    if (edit.action == "enable") return set(instance.directory, {"multi_instance_enable=yes"});
    if (edit.action == "disable") {
        if (at == 0) return invalid("the primary instance cannot be disabled");
        return set(instance.directory, {"multi_instance_enable=no"});
    }
    if (edit.action == "assign") {
        TRY_ASSIGN(const auto names, naming(edit));
        if (names.empty()) return invalid("-e assign needs -I name or -G group");
        for (const MailInstance& other : all) {
            if (&other != &instance && edit.name && *edit.name != "-" && other.name == *edit.name)
                return invalid(cat({*edit.name, ": the name of ", other.directory}));
        }
        return set(instance.directory, names);
    }
    if (at == 0) return invalid(cat({"the primary instance: -e ", edit.action, " is for others"}));
    if (edit.action == "destroy") return destroy(primary, all, instance);
    TRY(must_be_stopped(instance));
    return write_list(primary, all, instance.directory, {});
}

}  // namespace

Result<void> edit_instance(const config::Config& primary, const InstanceEdit& edit,
                           const PrepareFolders& prepare) {
    static constexpr std::string_view kActions[] = {"init",   "create", "import",  "destroy",
                                                    "deport", "enable", "disable", "assign"};
    if (std::find(std::begin(kActions), std::end(kActions), edit.action) == std::end(kActions))
        return invalid(
            cat({"unknown action ", printable(edit.action, 100),
                 "; there are init, create, import, destroy, deport, enable, disable and assign"}));
    if (edit.action == "init")
        return set(primary.directory(),
                   {"multi_instance_wrapper=${command_directory}/postmulti -p --",
                    "multi_instance_enable=yes"});
    if (primary.get(param::multi_instance_wrapper).empty())
        return invalid("multi_instance_wrapper is empty, run 'postmulti -e init' first.");
    if (!primary.get(param::multi_instance_enable))
        return invalid("multi_instance_enable!=yes, run 'postmulti -e init' first.");
    TRY_ASSIGN(const auto all, load_instances(primary));
    if (edit.action == "create" || edit.action == "import")
        return create(primary, edit, all, prepare);
    return edit_existing(primary, edit, all);
}

}  // namespace postern::commands
