// postconf -b and -t: the texts of notifications, as bounce(5) has them.
#include "lib/base/strings.h"
#include "lib/queue/bounce_template.h"
#include "lib/sys/file.h"

#include "commands/postconf.h"

namespace postern::commands {
namespace {

constexpr std::size_t kMaxTemplates = 1 << 20;  // bytes, as bounce has it

Result<queue::BounceTemplates> read_templates(const std::string& path) {
    if (path.empty()) return queue::BounceTemplates::built_in();
    TRY_ASSIGN(const std::string text, sys::read_file(path, kMaxTemplates));
    auto parsed = queue::BounceTemplates::parse(text);
    if (!parsed) return std::move(parsed).error().within(path);
    return parsed;
}

}  // namespace

Result<std::string> bounce_templates(const config::Config& config,
                                     const std::optional<std::string>& file) {
    TRY_ASSIGN(const auto templates,
               read_templates(file ? *file : config.get(param::bounce_template_file)));
    return templates.text();
}

Result<std::string> bounce_texts(const config::Config& config,
                                 const std::optional<std::string>& file) {
    TRY_ASSIGN(const auto templates,
               read_templates(file ? *file : config.get(param::bounce_template_file)));
    const std::pair<std::string_view, const queue::BounceTemplate*> all[] = {
        {"failure", &templates.failure},
        {"delay", &templates.delay},
        {"success", &templates.success},
        {"verify", &templates.verify}};
    std::string out;
    for (const auto& [name, one] : all) {
        const std::string timed =
            queue::insert_times(one->body, config.get(param::delay_warning_time),
                                config.get(param::maximal_queue_lifetime));
        TRY_ASSIGN(const std::string text, config.expand(timed));
        out += cat({out.empty() ? "" : "\n", "expanded_", name, "_text = <<EOF\n", text, "EOF\n"});
    }
    return out;
}

}  // namespace postern::commands
