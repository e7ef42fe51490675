// Config: the configuration of one process, read once, checked whole, immutable afterwards. A
// reload is a new process. config.get(param::smtpd_timeout) has the type that the row in
// params/*.def says.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"

#include "lib/config/master_cf.h"
#include "lib/config/params.h"
#include "lib/config/settings.h"

namespace postern::config {

// The configuration directory: what -c says, else the environment's MAIL_CONFIG, else the one given
// at build time. A program that runs with more rights than its caller (set-gid) may only be led to
// a directory that the standard main.cf lists in alternate_config_directories or
// multi_instance_directories; anything else is an Error.
Result<std::string> choose_directory(std::optional<std::string> from_option = std::nullopt);

// The texts of one configuration as they were at one moment. Master takes it when it starts and at
// each reload, and its daemons live by it: what an administrator writes afterwards, right or wrong,
// reaches nobody before the next reload.
struct Snapshot {
    std::string directory, main_cf, master_cf;

    static Result<Snapshot> read(const std::string& directory);
};

class Config {
  public:
    static Result<Config> from(const Snapshot& snapshot, const Overrides& overrides = {},
                               const Host& host = SystemHost::instance());
    // Reads directory/main.cf, then applies the overrides (-o options), then checks every value.
    // The Error names file, line, parameter and what would be right.
    static Result<Config> load(const std::string& directory, const Overrides& overrides = {},
                               const Host& host = SystemHost::instance());
    // The same from text, for tests.
    static Result<Config> parse(std::string_view main_cf, const Overrides& overrides = {},
                                const Host& host = SystemHost::instance());
    // This configuration as the service of a master.cf entry sees it (its -o options).
    Result<Config> with(const Overrides& overrides) const;

    Millis get(SecondsParam param) const;
    std::uint64_t get(BytesParam param) const;
    std::size_t get(CountParam param) const;
    bool get(FlagParam param) const;
    std::string get(TextParam param) const;
    std::vector<std::string> get(ListParam param) const;
    std::string get(PathParam param) const;
    std::string get(ChoiceParam param) const;
    std::vector<std::string> get(TablesParam param) const;
    std::string get(TemplateParam param) const;  // not expanded

    // The expanded text of any name, also of user-defined ones; empty for unknown names.
    std::string text(std::string_view name) const;
    // The same, cut into words; this is how restriction classes are read.
    std::vector<std::string> list(std::string_view name) const;
    // True when main.cf or -o sets the name.
    bool is_set(std::string_view name) const { return settings_.set_values().contains(name); }
    // Expands $name in a text that is not itself a parameter (pipe's argv=, say).
    Result<std::string> expand(std::string_view text) const;

    // A parameter that exists once per transport, "local" + "_destination_concurrency_limit", with
    // the general one as its default.
    std::size_t lookup_service_param(std::string_view service, std::string_view suffix,
                                     CountParam fallback) const;
    Millis lookup_service_param(std::string_view service, std::string_view suffix,
                                SecondsParam fallback) const;

    const std::string& directory() const { return settings_.directory(); }
    // Unknown names and names set twice: to be logged once, at the start of the system.
    std::vector<std::string> warnings() const { return settings_.warnings(); }
    const Settings& settings() const { return settings_; }

  private:
    explicit Config(Settings settings) : settings_(std::move(settings)) {}
    static Result<Config> checked(Settings settings, const Overrides& overrides, const Host& host);

    Result<void> check() const;
    std::int64_t number(std::size_t id) const;
    std::int64_t service_number(std::string_view name, std::string_view suffix,
                                std::size_t id) const;
    std::string row_text(std::size_t id) const;

    Settings settings_;
};

// Reads directory/master.cf and adds the built-in services that it lacks.
Result<MasterFile> load_master(const std::string& directory);
Result<MasterFile> master_of(const Snapshot& snapshot);

}  // namespace postern::config
