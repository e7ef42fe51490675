// What bounce takes from main.cf.
#include "bounce/options.h"

#include "lib/base/strings.h"
#include "lib/config/config.h"

namespace postern::bounce {

Options options_from(const config::Config& config) {
    Options options;
    options.myhostname = config.get(param::myhostname);
    options.myorigin = config.get(param::myorigin);
    options.mail_name = config.get(param::mail_name);
    options.size_limit = config.get(param::bounce_size_limit);
    options.notify_classes = config.get(param::notify_classes);
    options.bounce_notice_recipient = config.get(param::bounce_notice_recipient);
    options.delay_notice_recipient = config.get(param::delay_notice_recipient);
    options.double_bounce_notice_recipient = config.get(param::double_bounce_notice_recipient);
    options.double_bounce_sender = config.get(param::double_bounce_sender);
    options.delay_warning = config.get(param::delay_warning_time);
    options.queue_lifetime = config.get(param::maximal_queue_lifetime);
    options.cleanup = cat({"public/", config.get(param::cleanup_service_name)});
    return options;
}

}  // namespace postern::bounce
