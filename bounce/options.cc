// What bounce takes from main.cf.
#include "bounce/options.h"

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/sys/file.h"

namespace postern::bounce {

namespace {

constexpr std::size_t kMaxTemplates = 1 << 20;

// As Postfix: a file that cannot be read stops nobody from hearing of his mail.
queue::BounceTemplates read_templates(const config::Config& config) {
    const std::string path = config.get(param::bounce_template_file);
    if (path.empty()) return queue::BounceTemplates::built_in();
    auto text = sys::read_file(path, kMaxTemplates);
    auto parsed =
        text ? queue::BounceTemplates::parse(*text) : Result<queue::BounceTemplates>(text.error());
    if (parsed) return std::move(parsed).value();
    log::warning("", cat({"bounce_template_file ", path, ": ", parsed.error().what,
                          "; the built-in texts are used"}));
    return queue::BounceTemplates::built_in();
}

// $names in the texts.
Result<void> expand(const config::Config& config, queue::BounceTemplate& text) {
    const std::string timed = queue::insert_times(text.body, config.get(param::delay_warning_time),
                                                  config.get(param::maximal_queue_lifetime));
    TRY_ASSIGN(text.body, config.expand(timed));
    return {};
}

}  // namespace

Result<Options> options_from(const config::Config& config) {
    Options options;
    options.myhostname = config.get(param::myhostname);
    options.myorigin = config.get(param::myorigin);
    options.mail_name = config.get(param::mail_name);
    options.size_limit = config.get(param::bounce_size_limit);
    options.notify_classes = config.get(param::notify_classes);
    options.error_notice_recipient = config.get(param::error_notice_recipient);
    options.bounce_notice_recipient = config.get(param::bounce_notice_recipient);
    options.delay_notice_recipient = config.get(param::delay_notice_recipient);
    options.double_bounce_notice_recipient = config.get(param::double_bounce_notice_recipient);
    options.double_bounce_sender = config.get(param::double_bounce_sender);
    options.threaded = config.get(param::enable_threaded_bounces);
    options.templates = read_templates(config);
    for (auto* one : {&options.templates.failure, &options.templates.delay,
                      &options.templates.success, &options.templates.verify}) {
        if (auto done = expand(config, *one); !done)
            return std::move(done).error().within("bounce template");
    }
    options.queue_lifetime = config.get(param::maximal_queue_lifetime);
    options.cleanup = cat({"public/", config.get(param::cleanup_service_name)});
    return options;
}

}  // namespace postern::bounce
