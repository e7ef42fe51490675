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

Result<Appended> publish_with_uids(const Environment& env, const std::string& folder,
                                   std::span<const std::string> bases,
                                   const std::vector<std::vector<std::string>>& keywords,
                                   const std::function<Result<void>()>& publish) {
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env.fs, folder + "/postern.lock"));
    UidList list(env, folder);
    TRY(list.ensure());
    // First the renames: whoever sees a UID's line must be able to find its file.
    TRY(publish());
    TRY_ASSIGN(std::vector<Uid> uids, list.assign(bases));
    KeywordLog log(*env.fs, folder);
    std::vector<std::pair<Uid, KeywordBits>> changes;
    TRY(log.refresh(list.validity(), [](Uid) {}));
    for (std::size_t i = 0; i < uids.size(); ++i) {
        KeywordBits bits = 0;
        for (const std::string& name : keywords[i]) bits |= log.intern(name);
        if (bits > 1) changes.emplace_back(uids[i], bits);
    }
    if (!changes.empty()) TRY(log.write(list.validity(), changes));
    return Appended{list.validity(), std::move(uids)};
}

Result<std::unique_ptr<View>> Mailbox::open(Access access) const {
    return FolderView::open(env_, path_, access);
}

Result<MailboxStatus> Mailbox::status() const {
    TRY_ASSIGN(const std::unique_ptr<View> view, open(Access::read_only));
    MailboxStatus status;
    status.messages = view->count();
    status.recent = view->recent();
    for (std::uint32_t seq = 1; seq <= view->count(); ++seq)
        if ((view->message(seq).flags.system & kSeen) == 0) ++status.unseen;
    status.next_uid = view->next_uid();
    status.uid_validity = view->uid_validity();
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
    std::vector<std::string> bases;
    std::vector<std::vector<std::string>> keywords;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        bases.emplace_back(MessageName::parse(group.prepared_name(i)).base);
        keywords.push_back(messages[i].keywords);
    }
    auto appended = publish_with_uids(env_, path_, bases, keywords, [&]() -> Result<void> {
        group.publish();
        if (!none_failed(group, failure)) return failure;
        return {};
    });
    if (!appended) group.abandon();
    return appended;
}

Result<Fd> Mailbox::watch() const {
    Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd) return sys::system_error("inotify for " + path_);
    constexpr std::uint32_t kEvents =
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY;
    for (const char* part : {"", "/new", "/cur"})  // "": postern.log, for keywords
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
