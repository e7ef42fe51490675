#include "lib/config/config.h"

#include <sys/auxv.h>

#include <algorithm>
#include <cstdlib>

#include "lib/base/strings.h"

#include "lib/config/check.h"
#include "lib/config/main_cf.h"
#include "lib/config/value.h"

#ifndef POSTERN_SYSCONFDIR
#error "the build says where the configuration is"
#endif

namespace postern::config {
Result<std::string> choose_directory(std::optional<std::string> from_option) {
    std::string standard = POSTERN_SYSCONFDIR;
    if (!from_option) {
        const char* environment = std::getenv("MAIL_CONFIG");
        if (environment == nullptr || *environment == '\0') return standard;
        from_option = environment;
    }
    if (getauxval(AT_SECURE) == 0 || *from_option == standard) return std::move(*from_option);
    Settings settings(standard);
    TRY(settings.read());
    for (std::string_view name : {"alternate_config_directories", "multi_instance_directories"}) {
        TRY_ASSIGN(std::string text, settings.expanded(name));
        auto allowed = split_list(text);
        if (std::find(allowed.begin(), allowed.end(), *from_option) != allowed.end()) {
            return std::move(*from_option);
        }
    }
    return Error{
        Errc::denied,
        cat({*from_option, ": not listed in alternate_config_directories in ", settings.file()})};
}

Result<Snapshot> Snapshot::read(const std::string& directory) {
    TRY_ASSIGN(std::string main_cf, read_file(directory + "/main.cf"));
    TRY_ASSIGN(std::string master_cf, read_file(directory + "/master.cf"));
    return Snapshot{directory, std::move(main_cf), std::move(master_cf)};
}

Result<Config> Config::from(const Snapshot& snapshot, const Overrides& overrides,
                            const Host& host) {
    Settings settings(snapshot.directory);
    TRY(settings.parse(snapshot.main_cf));
    return checked(std::move(settings), overrides, host);
}

Result<Config> Config::load(const std::string& directory, const Overrides& overrides,
                            const Host& host) {
    Settings settings(directory);
    TRY(settings.read());
    return checked(std::move(settings), overrides, host);
}

Result<Config> Config::parse(std::string_view main_cf, const Overrides& overrides,
                             const Host& host) {
    Settings settings(POSTERN_SYSCONFDIR);
    TRY(settings.parse(main_cf));
    return checked(std::move(settings), overrides, host);
}

Result<Config> Config::with(const Overrides& overrides) const {
    Config changed(settings_);
    for (const auto& [name, text] : overrides) changed.settings_.set(name, text);
    TRY(changed.check());
    return changed;
}

Result<Config> Config::checked(Settings settings, const Overrides& overrides, const Host& host) {
    for (const auto& [name, text] : overrides) settings.set(name, text);
    settings.compute(host);
    Config config(std::move(settings));
    TRY(config.check());
    return config;
}

// Every set value, and the defaults of numbers, flags and choices that depend on other values.
// After this no get() fails: a text that goes in circles does so through a set value.
Result<void> Config::check() const {
    auto problems = bad_values(settings_);
    if (problems.empty()) return {};
    return Error{Errc::invalid, problems.front().str()};
}

std::string Config::row_text(std::size_t id) const {
    // check() has seen to it that this works; all that is left is a text beyond the limits of
    // expansion.
    return settings_.expanded(rows()[id].name).value_or(std::string());
}

std::int64_t Config::number(std::size_t id) const {
    auto value = parse_value(rows()[id], row_text(id));
    POSTERN_CHECK(value.has_value());  // check() has seen it
    return *value;
}

Millis Config::get(SecondsParam param) const {
    return Millis(number(static_cast<std::size_t>(param)));
}

std::uint64_t Config::get(BytesParam param) const {
    return static_cast<std::uint64_t>(number(static_cast<std::size_t>(param)));
}

std::size_t Config::get(CountParam param) const {
    return static_cast<std::size_t>(number(static_cast<std::size_t>(param)));
}

bool Config::get(FlagParam param) const { return number(static_cast<std::size_t>(param)) != 0; }

std::string Config::get(TextParam param) const { return row_text(static_cast<std::size_t>(param)); }

std::vector<std::string> Config::get(ListParam param) const {
    return split_list(row_text(static_cast<std::size_t>(param)));
}

std::string Config::get(PathParam param) const { return row_text(static_cast<std::size_t>(param)); }

std::string Config::get(ChoiceParam param) const {
    return row_text(static_cast<std::size_t>(param));
}

std::vector<std::string> Config::get(TablesParam param) const {
    return split_list(row_text(static_cast<std::size_t>(param)));
}

std::string Config::get(TemplateParam param) const {
    return row_text(static_cast<std::size_t>(param));
}

std::string Config::text(std::string_view name) const {
    return settings_.expanded(name).value_or(std::string());
}

std::vector<std::string> Config::list(std::string_view name) const {
    return split_list(text(name));
}

Result<std::string> Config::expand(std::string_view text) const {
    return config::expand(text, settings_);
}

std::int64_t Config::service_number(std::string_view service, std::string_view suffix,
                                    std::size_t id) const {
    std::string name = cat({service, suffix});
    if (!settings_.raw(name)) return number(id);
    const Row* row = governing_row(name);
    auto value = parse_value(row != nullptr ? *row : rows()[id], text(name));
    return value ? *value : number(id);
}

std::size_t Config::lookup_service_param(std::string_view service, std::string_view suffix,
                                         CountParam fallback) const {
    return static_cast<std::size_t>(
        service_number(service, suffix, static_cast<std::size_t>(fallback)));
}

Millis Config::lookup_service_param(std::string_view service, std::string_view suffix,
                                    SecondsParam fallback) const {
    return Millis(service_number(service, suffix, static_cast<std::size_t>(fallback)));
}

Result<MasterFile> load_master(const std::string& directory) {
    TRY_ASSIGN(std::string text, read_file(directory + "/master.cf"));
    return master_of({directory, {}, std::move(text)});
}

Result<MasterFile> master_of(const Snapshot& snapshot) {
    TRY_ASSIGN(MasterFile master,
               MasterFile::parse(snapshot.master_cf, snapshot.directory + "/master.cf"));
    master.add_built_in();
    return master;
}

}  // namespace postern::config
