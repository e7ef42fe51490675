#include "lib/config/log_options.h"

#include <syslog.h>

#include "lib/base/strings.h"

namespace postern::config {
namespace {

struct Facility {
    std::string_view name;
    int number;
};
constexpr Facility kFacilities[] = {
    {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},
    {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},           {"kern", LOG_KERN},
    {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},     {"local5", LOG_LOCAL5},
    {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},     {"lpr", LOG_LPR},
    {"mail", LOG_MAIL},     {"news", LOG_NEWS},         {"syslog", LOG_SYSLOG},
    {"user", LOG_USER},     {"uucp", LOG_UUCP},
};

}  // namespace

int syslog_facility(std::string_view name) {
    for (const Facility& facility : kFacilities) {
        if (facility.name == name) return facility.number;
    }
    return LOG_MAIL;  // not reached: the row allows no other name
}

log::Options log_options(const Config& config, std::string_view program, bool verbose) {
    log::Options options;
    options.tag = cat({config.get(param::syslog_name), "/", program});
    options.syslog_facility = syslog_facility(config.get(param::syslog_facility));
    options.json = config.get(param::log_format) == "json";
    options.internal_addresses = config.get(param::info_log_address_format) == "internal";
    options.debug = verbose;
    return options;
}

}  // namespace postern::config
