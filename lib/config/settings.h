// Settings: every parameter's text, set or default, without judging it. Tools (postconf) use it as
// it is; daemons use Config, which is Settings whose values have been checked.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

#include "lib/config/expand.h"
#include "lib/config/host.h"
#include "lib/config/master_cf.h"
#include "lib/config/params.h"

namespace postern::config {

class Settings final : public Names {
  public:
    struct Value {
        std::string text;
        int line = 0;  // in main.cf; 0: set by -o or by the program
    };

    explicit Settings(std::string directory);

    // Reads directory/main.cf.
    Result<void> read();
    // Reads the text of a main.cf.
    Result<void> parse(std::string_view text);
    // The same, going on after a bad line, which becomes a problem.
    void parse(std::string_view text, std::vector<Problem>& problems);
    // As an -o option does: wins over main.cf.
    void set(std::string_view name, std::string_view text);
    // Works out the defaults that depend on this host (myhostname, mydomain, mynetworks); those of
    // the process and config_directory are there from the start.
    void compute(const Host& host = SystemHost::instance());

    const std::string& directory() const { return directory_; }
    std::string file() const { return directory_ + "/main.cf"; }
    // What main.cf and -o set, by name.
    const std::map<std::string, Value, std::less<>>& set_values() const { return set_; }

    // The unexpanded text: what is set, else the default, else (for names that exist once per
    // transport) a reference to the general parameter. Nothing for unknown names.
    std::optional<std::string> raw(std::string_view name) const override;
    // The unexpanded default of a known name.
    std::optional<std::string> default_text(std::string_view name) const;
    // raw() with $name expanded; empty for unknown names.
    Result<std::string> expanded(std::string_view name) const;

    // What is worth telling and stops nothing: names set twice, and names that nobody knows: no
    // row, not one of a transport's, not used as $name by another value, no restriction class. With
    // line and, where one is near, a suggestion.
    std::vector<Problem> notes() const;
    std::vector<std::string> warnings() const;  // the same as text
    // Used as $name by another value, or a restriction class.
    bool is_user_defined(std::string_view name) const;
    // "main.cf, line 3: " for a set name, else the empty text.
    std::string place_of(std::string_view name) const;

  private:
    void take(std::vector<MainEntry> entries);
    std::string mydomain_default(const Host& host) const;
    std::string mynetworks_default(const Host& host) const;

    std::string directory_;
    std::map<std::string, Value, std::less<>> set_;
    std::map<std::string, std::string, std::less<>> computed_;
    std::vector<Problem> doubles_;  // names set twice
};

// The known name that is nearest in spelling, if one is near.
std::optional<std::string_view> suggest(std::string_view name);
// "unknown parameter (did you mean smtpd_timeout?)"
std::string unknown_text(std::string_view name);

// The whole file; missing, unreadable and too long files are errors that name it.
Result<std::string> read_file(const std::string& path);

}  // namespace postern::config
