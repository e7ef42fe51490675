#include "commands/requeue.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/queue/admin.h"
#include "lib/queue/directories.h"
#include "lib/sys/file.h"

#include "commands/submission.h"

namespace postern::commands {

using queue::Directory;

namespace {

constexpr std::size_t kCopyPiece = 64 << 10;

Result<void> copy_text(sys::Fs& fs, int from, queue::Extent body, queue::MaildropWriter& writer,
                       MaildropFile& to) {
    for (std::uint64_t done = 0; done < body.size;) {
        const auto piece = std::min<std::uint64_t>(kCopyPiece, body.size - done);
        TRY_ASSIGN(const std::string bytes,
                   fs.read_at(from, body.offset + done, static_cast<std::size_t>(piece)));
        if (bytes.empty()) return Error{Errc::corrupt, "the message's text ends too early"};
        TRY(to.write(writer.content(bytes)));
        done += bytes.size();
    }
    return {};
}

Result<queue::Message> only_message(sys::Fs& fs, int fd, const QueueId& id) {
    TRY_ASSIGN(queue::Reader reader, queue::Reader::open(fs, fd));
    if (reader.count() != 1) return Error{Errc::invalid, "not a message of its own"};
    TRY_ASSIGN(queue::Message message, reader.message(0));
    if (message.envelope.id != id) return Error{Errc::invalid, "another message's file"};
    TRY(queue::verify_body(fs, fd, message));
    return message;
}

}  // namespace

queue::MaildropEnvelope requeued_envelope(const queue::Message& message, bool told) {
    const queue::Envelope& from = message.envelope;
    queue::MaildropEnvelope to;
    to.sender = from.sender;
    to.envid = from.attribute(queue::attribute::kEnvid);
    to.ret = from.attribute(queue::attribute::kRet);
    to.verp = from.attribute(queue::attribute::kVerp);
    to.body_8bit = from.has(queue::kBody8bit);
    to.smtputf8 = from.has(queue::kSmtpUtf8);
    to.probe = from.is_probe();
    to.report_all = from.has(queue::kReportAll) && !told;
    to.requeued = from.id;
    to.priority = from.priority();
    to.release = from.release();
    for (const queue::Recipient& recipient : from.recipients) {
        if (recipient.done) continue;
        to.recipients.push_back(recipient.address);
        to.known.push_back({recipient.original, recipient.orcpt, recipient.notify});
    }
    return to;
}

Result<MaildropCopy> copy_to_maildrop(sys::Fs& fs, const QueueId& id, bool sync_directory) {
    const std::string path = queue::path_of(Directory::hold, id);
    TRY_ASSIGN(const Fd fd, queue::open_queue_file(fs, path, O_RDWR));
    TRY_ASSIGN(const bool ours, sys::try_lock(fd.get(), sys::LockKind::exclusive));
    if (!ours) return Error{Errc::temporary, cat({path, ": in use by another process"})};
    if (!queue::leads_to(fs, path, fd.get()))
        return Error{Errc::not_found, cat({path, ": is gone"})};
    TRY_ASSIGN(const sys::FileInfo info, fs.info(fd.get()));
    TRY_ASSIGN(const queue::Message message, only_message(fs, fd.get(), id));
    const auto envelope =
        requeued_envelope(message, (info.mode & queue::kModeFirstReportTold) != 0);
    if (envelope.recipients.empty()) return Error{Errc::invalid, "no recipient is left"};
    if (envelope.recipients.size() > queue::MaildropParser::Limits{}.recipients)
        return Error{Errc::no_space, "too many recipients for maildrop"};
    TRY_ASSIGN(MaildropFile file, MaildropFile::create(fs));
    queue::MaildropWriter writer;
    TRY_ASSIGN(const std::string head, writer.begin(envelope));
    TRY(file.write(head));
    TRY(copy_text(fs, fd.get(), message.body, writer, file));
    TRY(file.write(writer.end()));
    TRY_ASSIGN(Fd written, file.commit_locked(sync_directory));
    return MaildropCopy{file.id(), std::move(written)};
}

// pickup waits for the copy's lock: were it submitted before the disk knows that the message is
// gone, a power cut would bring that back beside its copy. And somebody may take the message in
// hand when it has been copied: it is his then, and the copy is nobody's.
Result<bool> move_to_maildrop(sys::Fs& fs, const QueueId& id, bool sync_directory,
                              const Warn& warn) {
    auto copied = [&] {
        const AsRoot all_rights;
        (void)::umask(022);  // pickup is somebody else and reads it
        return copy_to_maildrop(fs, id, sync_directory);
    }();
    if (!copied && copied.error().code == Errc::not_found) return false;
    TRY_ASSIGN(const MaildropCopy copy, std::move(copied));
    auto removed = queue::change_message(fs, id, queue::Change::remove);
    if (!removed || !*removed) {
        const AsRoot all_rights;
        if (auto gone = fs.unlink(queue::path_of(Directory::maildrop, copy.id)); !gone)
            warn(cat({id.str(), ": ", gone.error().what, ": this copy is delivered, too"}));
        return removed;
    }
    if (auto synced = fs.sync_directory(queue::parent_of(Directory::hold, id)); !synced)
        warn(cat({id.str(), ": ", synced.error().what, ": a power cut may bring it back"}));
    return true;
}

}  // namespace postern::commands
