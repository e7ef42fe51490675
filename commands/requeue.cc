#include "commands/requeue.h"

#include <fcntl.h>

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/queue/admin.h"
#include "lib/queue/directories.h"
#include "lib/sys/file.h"

#include "commands/submission.h"

namespace postern::commands {
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

Result<Fd> copy_to_maildrop(sys::Fs& fs, const QueueId& id, bool sync_directory) {
    TRY_ASSIGN(const Fd fd,
               queue::open_queue_file(fs, queue::path_of(queue::Directory::hold, id), O_RDWR));
    TRY_ASSIGN(const bool ours, sys::try_lock(fd.get(), sys::LockKind::exclusive));
    TRY_ASSIGN(const sys::FileInfo info, fs.info(fd.get()));
    if (!ours || info.links == 0) return Fd();
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
    return file.commit_locked(sync_directory);
}

}  // namespace postern::commands
