// RulePlace: where the rule stands that decided: file and line. Records name a rule as the programs
// know it, "smtpd_client_restrictions check_client_access hash:/etc/access (hash:/etc/access, key
// 192.0.2.1)"; what line that is, the files say now. Reading is behind a function, the rest is
// pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/config/config.h"

namespace postern::commands {

struct SourceText {
    std::string text;
    WallTime changed{};
};
using ReadSource = std::function<std::optional<SourceText>(const std::string& path)>;

class RulePlaces {
  public:
    // `directory`: of main.cf and master.cf.
    RulePlaces(const config::Config& config, std::string directory, ReadSource read);

    // "main.cf:12 smtpd_client_restrictions check_client_access hash:/etc/access, /etc/access:3
    // (key 192.0.2.1)". `service`: the master.cf entry whose -o options count. `decided`: a file
    // that was changed later is said to have been.
    std::string describe(std::string_view rule, std::string_view service, WallTime decided);
    // The line of the first of these tables (the value of parameter `maps`) that has one of the
    // keys:
    // "/etc/aliases:7 (key staff)"; empty when none has.
    std::string line_of_key(std::string_view maps, const std::vector<std::string>& keys,
                            WallTime decided);

  private:
    std::string describe_one(std::string_view rule, std::string_view service, WallTime decided);
    std::string parameter_place(std::string_view parameter, std::string_view restriction,
                                std::string_view service, WallTime decided);
    std::string table_place(std::string_view in_brackets, WallTime decided);
    std::string find_key(std::string_view spec, std::string_view key, WallTime decided);
    const std::optional<SourceText>& source(const std::string& path);
    std::string changed_since(const std::string& path, WallTime decided);

    const config::Config& config_;
    std::string directory_;
    ReadSource read_;
    std::map<std::string, std::optional<SourceText>> sources_;
};

}  // namespace postern::commands
