#include "lib/mailbox/mailbox.h"

#include <sys/inotify.h>
#include <unistd.h>

#include "lib/mailbox/appender.h"
#include "lib/mailbox/group_fs.h"
#include "lib/mailbox/mbox_inbox.h"
#include "lib/mailbox/shared_view.h"
#include "lib/mailbox/uid_list.h"
#include "lib/mailbox/view.h"
#include "lib/sys/error.h"

namespace postern::mailbox {

void Environment::use_shared_fs(std::shared_ptr<sys::Fs> shared) {
    fs = shared.get();
    layers.push_back(std::move(shared));
    is_shared = true;
}

void Environment::use_group_fs(mode_t mode) {
    layers.push_back(std::make_shared<GroupFs>(*fs, mode));
    fs = layers.back().get();
}

Result<std::unique_ptr<View>> Mailbox::open(Access access) const {
    if (env_.mbox) TRY(env_.mbox->pull(env_, path_, MboxInbox::Patience::some));
    if (env_.private_place) return SharedView::open(env_, path_, access);
    return FolderView::open(env_, path_, access);
}

Result<std::unique_ptr<View>> Mailbox::open_after(std::unique_ptr<View> before,
                                                  Access access) const {
    if (before && before->begin_again(*this, access)) return before;
    before.reset();  // it may have something to write down
    return open(access);
}

Result<MailboxStatus> Mailbox::status(bool detailed) const {
    TRY_ASSIGN(const std::unique_ptr<View> view, open(Access::read_only));
    MailboxStatus status;
    status.messages = view->count();
    status.recent = view->recent();
    status.unseen = view->unseen();
    status.next_uid = view->next_uid();
    status.uid_validity = view->uid_validity();
    status.highest_modseq = view->highest_modseq();
    status.id = view->mailbox_id();
    for (std::uint32_t seq = 1; detailed && seq <= view->count(); ++seq) {
        const bool deleted = (view->message(seq).flags.system & kDeleted) != 0;
        if (deleted) ++status.deleted;
        const auto size = view->crlf_size(seq);
        if (!size && !is_only_its_own(size.error())) return Error(size.error());
        if (size) status.size += *size;
        if (size && deleted) status.deleted_size += *size;
    }
    return status;
}

Result<Appended> Mailbox::append(std::span<const AppendMessage> messages) const {
    Appender appender(*this);
    for (const AppendMessage& message : messages) TRY(appender.add(message));
    return appender.commit();
}

Result<bool> Mailbox::begin_numbers(std::uint32_t uid_validity) const {
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env_.fs, path_ + "/postern.lock"));
    UidList list(env_, path_);
    TRY(list.refresh());
    if (list.usable() || uid_validity == 0) return false;
    const auto known = env_.fs->info(path_ + "/postern.uids");
    if (known || known.error().code != Errc::not_found) return false;
    TRY(list.replace(uid_validity, 1, ""));
    return true;
}

Result<void> Mailbox::raise_next_uid(Uid next) const {
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env_.fs, path_ + "/postern.lock"));
    UidList list(env_, path_);
    TRY(list.ensure());
    return list.raise_next(next);
}

Result<void> Mailbox::raise_modseq() const {
    FolderIndex index(env_, path_);
    TRY(index.load(false));
    TRY_ASSIGN(auto transaction, index.begin());
    // A change of flags that changes none.
    const UidRange any{1, 1};
    transaction.changes.flags(FlagChange{0, 0, 0, 0}, std::span(&any, 1));
    return transaction.commit(false);
}

Result<void> Mailbox::raise_private_modseq() const {
    TRY_ASSIGN(const std::uint32_t validity, uid_validity());
    FolderIndex index(env_, path_);
    TRY(index.load(false));
    const PrivatePlace& place = *env_.private_place;
    return PrivateSeen(*place.fs, place.file(validity, PrivatePlace::kSeen)).raise(index.modseq());
}

Result<std::uint32_t> Mailbox::uid_validity() const {
    if (const std::uint32_t known = known_uid_validity(); known != 0) return known;
    TRY_ASSIGN(const auto view, open(Access::read_only));
    return view->uid_validity();
}

std::uint32_t Mailbox::known_uid_validity() const { return validity_in_list(*env_.fs, path_); }

Result<Fd> Mailbox::watch() const {
    Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd) return sys::system_error("inotify for " + path_);
    constexpr std::uint32_t kEvents =
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY;
    for (const char* part : {"", "/new", "/cur"})  // "": postern.log, for flags
        if (::inotify_add_watch(fd.get(), (path_ + part).c_str(), kEvents) < 0)
            return sys::system_error("watch " + path_ + part);
    // Another session of the user's may have seen something. Only where there is such a folder yet.
    if (env_.private_place)
        (void)::inotify_add_watch(fd.get(), env_.private_place->folder.c_str(),
                                  IN_MODIFY | IN_MOVED_TO);
    // The file may be missing; then its folder tells when it comes.
    if (env_.mbox && ::inotify_add_watch(fd.get(), env_.mbox->file().c_str(),
                                         IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF) < 0) {
        const std::string& file = env_.mbox->file();
        const std::string folder = file.substr(0, file.rfind('/') + 1);
        if (::inotify_add_watch(fd.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO) < 0)
            return sys::system_error("watch " + folder);
    }
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
