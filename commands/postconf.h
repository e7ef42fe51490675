// The parts of postconf(1): what it prints (show), what it changes (edit), the manual that it
// makes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/config/master_cf.h"
#include "lib/config/settings.h"

namespace postern::commands {

// The fields of an entry of master.cf, as "postconf -F" names them.
inline constexpr std::string_view kServiceFields[] = {
    "service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"};

struct PostconfOptions {
    enum class Subject : unsigned char { main, master, master_fields, master_params };
    enum class Change : unsigned char { none, set, comment_out, remove };
    enum class Only : unsigned char { all, builtin, service, user };

    Subject subject = Subject::main;
    Change change = Change::none;
    Only only = Only::all;
    bool defaults = false;     // -d
    bool set_only = false;     // -n
    bool expand = false;       // -x
    bool fold = false;         // -f
    bool names_only = false;   // -H
    bool values_only = false;  // -h
    bool json = false;         // -j: one object a line
};

// Everything that a run looks at. The Settings are read unless only defaults are wanted.
struct PostconfInput {
    const config::Settings& settings;
    const config::MasterFile& master;
    const PostconfOptions& options;
};

// What a run has to say: lines for standard output and warnings (without "postconf: warning: ").
struct PostconfOutput {
    std::string text;
    std::vector<std::string> warnings;
};

// main.cf parameters: those named, or all that the options select, sorted.
PostconfOutput show_main(const PostconfInput& input, const std::vector<std::string>& names);
// master.cf: entries ("name" or "name/type"), fields ("name/type/field"), -o settings
// ("name/type/parameter").
PostconfOutput show_master(const PostconfInput& input, const std::vector<std::string>& patterns);

// The names that exist because master.cf has delivery services: smtp_destination_concurrency_limit.
std::vector<std::string> service_parameters(const config::MasterFile& master);

// The templates of notifications in the form of bounce(5), or their texts as they would be sent.
// From `file`; from bounce_template_file without one; the built-in ones where its name is empty.
// The Error names file and line.
Result<std::string> bounce_templates(const config::Config& config,
                                     const std::optional<std::string>& file);
Result<std::string> bounce_texts(const config::Config& config,
                                 const std::optional<std::string>& file);

// The new text of main.cf or master.cf; arguments as on the command line ("name=value", "name",
// "smtp/inet=smtp inet n …", "smtp/inet/chroot=n", "smtp/inet/syslog_name=x").
Result<std::string> edit_main(std::string_view text, PostconfOptions::Change change,
                              const std::vector<std::string>& arguments);
Result<std::string> edit_master(std::string_view text, const PostconfOptions& options,
                                const std::vector<std::string>& arguments);

// postconf(5), in man(7) and as an HTML page.
std::string make_manual();
std::string make_html_manual();
// One parameter's documentation as plain text; nothing for an unknown name.
std::optional<std::string> describe(std::string_view name);

// White space becomes single blanks; a line longer than limit is broken there, the rest indented by
// four.
std::string fold_line(std::string_view line, std::size_t limit);

}  // namespace postern::commands
