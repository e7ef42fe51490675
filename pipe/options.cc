#include <unistd.h>

#include "lib/base/strings.h"
#include "lib/service/profiles.h"
#include "lib/sys/users.h"
#include "lib/table/status_filter.h"

#include "pipe/agent.h"

namespace postern::pipe {
namespace {

Result<void> find_account(Options& options, const config::Config& config) {
    const auto& attributes = options.attributes;
    if (!sys::is_root()) {
        options.uid = geteuid();
        options.gid = getegid();
        return {};
    }
    auto user = sys::find_user(attributes.user);
    if (user.failed()) return std::move(user).error();
    if (user.not_found())
        return Error{Errc::not_found, cat({"user=", attributes.user, ": unknown user"})};
    TRY_ASSIGN(const auto owner, service::identity_of(service::Account::mail, config));
    options.user_name = user->name;
    options.uid = user->uid;
    options.gid = user->gid;
    if (!attributes.group.empty()) {
        auto group = sys::find_group(attributes.group);
        if (group.failed()) return std::move(group).error();
        if (group.not_found())
            return Error{Errc::not_found, cat({"user=…:", attributes.group, ": unknown group"})};
        options.gid = *group;
        options.user_name.clear();  // that group and no others
    }
    if (options.uid == 0 || options.gid == 0)
        return Error{Errc::denied,
                     cat({"user=", attributes.user, ": commands are not run with root's rights"})};
    if (options.uid == owner.uid || options.gid == owner.gid)
        return Error{Errc::denied, cat({"user=", attributes.user,
                                        ": commands are not run with the mail system's rights"})};
    return {};
}

}  // namespace

Result<Options> options_from(const service::Context& context) {
    TRY_ASSIGN(const auto file, config::master_of(context.snapshot));
    const auto* entry = file.find(context.service);
    if (entry == nullptr)
        return Error{Errc::not_found, cat({"service ", context.service, ": not in master.cf"})};
    Options options;
    options.service = context.service;
    options.delimiters = context.config.get(param::recipient_delimiter);
    options.environment = context.config.get(param::export_environment);
    options.status_filter = table::StatusFilter::function(
        context.config.text("pipe_delivery_status_filter"), "pipe_delivery_status_filter");
    auto attributes = parse_attributes(entry->arguments);
    if (!attributes) return std::move(attributes).error().within("service " + context.service);
    options.attributes = std::move(*attributes);
    options.time_limit = context.config.lookup_service_param(context.service, "_time_limit",
                                                             param::command_time_limit);
    if (auto done = find_account(options, context.config); !done)
        return std::move(done).error().within("service " + context.service);
    return options;
}

}  // namespace postern::pipe
