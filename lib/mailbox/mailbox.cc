#include "lib/mailbox/mailbox.h"

#include <sys/inotify.h>
#include <unistd.h>

#include "lib/base/strings.h"
#include "lib/mailbox/message_name.h"
#include "lib/mailbox/view.h"
#include "lib/sys/error.h"

namespace postern::mailbox {
namespace {

bool none_failed(const DeliveryGroup& group, Error& first) {
    for (const auto& result : group.results()) {
        if (result) continue;
        first = result.error();
        return false;
    }
    return true;
}

// The deliveries of an APPEND: each under a name of its own, with its flags in the name.
std::vector<Delivery> plan_append(const Environment& env, const std::string& path,
                                  std::span<const AppendMessage> messages) {
    std::vector<Delivery> deliveries;
    for (const AppendMessage& m : messages) {
        Flags flags{m.flags, 0};
        for (const std::string& name : m.keywords)
            if (iequals(name, kForwardedKeyword)) flags.keywords = 1;
        const std::string info = flags == Flags{} ? "" : info_of_flags(flags, "");
        deliveries.push_back(
            {path, unique_stem(*env.clock, *env.random, env.host), m.content, m.date, info});
    }
    return deliveries;
}

}  // namespace

Result<std::unique_ptr<View>> Mailbox::open(Access access) const {
    return FolderView::open(env_, path_, access);
}

Result<MailboxStatus> Mailbox::status() const {
    TRY_ASSIGN(const std::unique_ptr<View> view, open(Access::read_only));
    MailboxStatus status;
    status.messages = view->count();
    status.recent = view->recent();
    status.unseen = view->unseen();
    status.next_uid = view->next_uid();
    status.uid_validity = view->uid_validity();
    status.highest_modseq = view->highest_modseq();
    return status;
}

Result<Appended> Mailbox::append(std::span<const AppendMessage> messages) const {
    const std::vector<Delivery> deliveries = plan_append(env_, path_, messages);
    DeliveryGroup group(*env_.fs, deliveries);
    group.prepare();
    Error failure;
    if (!none_failed(group, failure)) {
        group.abandon();
        return failure;
    }
    std::vector<FolderIndex::Arrival> arrivals;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        FolderIndex::Arrival arrival;
        arrival.name = group.prepared_name(i);
        arrival.flags = flags_of_info(MessageName::parse(arrival.name).info);
        for (const std::string& name : messages[i].keywords)
            if (!iequals(name, kForwardedKeyword)) arrival.keywords.push_back(name);
        arrival.wire_size =
            size_in_name(MessageName::parse(arrival.name).base, 'W').value_or(kUnknownSize);
        if (messages[i].date != 0) arrival.date = messages[i].date;
        arrivals.push_back(std::move(arrival));
    }
    FolderIndex index(env_, path_);
    auto loaded = index.load(false);
    if (!loaded) {
        group.abandon();
        return std::move(loaded).error();
    }
    const auto outcome = [&]() -> Result<void> {
        if (!none_failed(group, failure)) return failure;
        return {};
    };
    auto appended = index.arrive(
        arrivals, [&] { return group.publish_names(), outcome(); },
        [&] { return group.sync_names(), outcome(); });
    if (!appended) group.abandon();
    return appended;
}

Result<Fd> Mailbox::watch() const {
    Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd) return sys::system_error("inotify for " + path_);
    constexpr std::uint32_t kEvents =
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY;
    for (const char* part : {"", "/new", "/cur"})  // "": postern.log, for flags
        if (::inotify_add_watch(fd.get(), (path_ + part).c_str(), kEvents) < 0)
            return sys::system_error("watch " + path_ + part);
    return fd;
}

void Mailbox::drain_watch(int fd) {
    char buffer[4096];
    while (::read(fd, buffer, sizeof buffer) > 0) {
    }
}

std::string to_crlf(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 32);
    while (!text.empty()) {
        const auto lf = text.find('\n');
        if (lf == std::string_view::npos) break;
        const bool has_cr = lf > 0 && text[lf - 1] == '\r';
        out += text.substr(0, has_cr ? lf - 1 : lf);
        out += "\r\n";
        text.remove_prefix(lf + 1);
    }
    out += text;
    return out;
}

}  // namespace postern::mailbox
