#include "pickup/submitter.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"

namespace postern::pickup {
namespace {

constexpr std::size_t kChunk = 64 << 10;
constexpr std::size_t kKeepContent = 256 << 10;

// Calls use with the content's bytes, portion by portion; the whole file is checked on the way.
Result<void> read_content(sys::Fs& fs, int fd, queue::MaildropParser& parser, bool want_content,
                          const std::function<Result<void>(std::string&)>& use) {
    std::string content;
    for (std::uint64_t at = 0; !parser.complete();) {
        TRY_ASSIGN(const std::string bytes, fs.read_at(fd, at, kChunk));
        if (bytes.empty()) return Error{Errc::closed, "not complete"};
        TRY(parser.feed(bytes, want_content ? &content : nullptr));
        at += bytes.size();
        if (!content.empty()) TRY(use(content));
        content.clear();
    }
    return {};
}

Result<void> write_pipe(int fd, std::string_view bytes, const Deadline& deadline) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            TRY(sys::wait_ready(fd, sys::Ready::write, deadline));
        } else if (errno != EINTR) {
            return sys::system_error("write to cleanup");
        }
    }
    return {};
}

// Who may say that a message was in the queue already: postsuper, which is the superuser.
bool may_requeue(uid_t uid) { return uid == 0 || uid == ::geteuid(); }

ipc::SubmitOpen submission_of(const Options& options, const Dropped& dropped) {
    ipc::SubmitOpen open;
    open.origin = ipc::Origin::local;
    open.sender = dropped.envelope.sender;
    open.full_name = dropped.envelope.full_name;
    open.body_8bit = dropped.envelope.body_8bit;
    open.smtputf8 = dropped.envelope.smtputf8;
    open.envid = dropped.envelope.envid;
    open.verp = dropped.envelope.verp;
    if (dropped.envelope.ret == "full") open.ret = ipc::DsnReturn::full;
    if (dropped.envelope.ret == "hdrs") open.ret = ipc::DsnReturn::headers;
    open.arrival = dropped.arrival;
    open.size_hint = dropped.content_size;
    open.rewrite_headers = true;
    open.report_all = dropped.envelope.report_all;
    if (dropped.envelope.probe) open.probe = ipc::Probe::report;
    open.priority = dropped.envelope.priority;
    open.release = dropped.envelope.release;
    open.local_uid = dropped.uid;
    open.content_filter = options.content_filter;
    open.no_address_mappings = options.overrides.no_address_mappings;
    open.no_header_body_checks = options.overrides.no_header_body_checks;
    open.no_milters = options.overrides.no_milters;
    return open;
}

// An open transaction: the conversation, and the pipe for the text.
struct Conversation {
    ipc::Channel channel;
    Fd content;
    QueueId id;
};

Result<Conversation> begin(const Options& options, const ipc::SubmitOpen& open,
                           const Deadline& deadline) {
    TRY_ASSIGN(ipc::Channel channel, ipc::Channel::connect(options.cleanup_socket, deadline));
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return sys::system_error("pipe");
    const Fd read_end(ends[0]);
    Fd write_end(ends[1]);
    TRY(sys::set_nonblocking(write_end.get()));
    const int descriptor = read_end.get();
    TRY(channel.send(open, deadline, {}, std::span(&descriptor, 1)));
    TRY_ASSIGN(const auto opened, channel.receive<ipc::SubmitOpened>(deadline));
    return Conversation{std::move(channel), std::move(write_end), opened.queue_id};
}

Result<void> send_recipients(ipc::Channel& channel, const Dropped& dropped,
                             const Deadline& deadline) {
    ipc::SubmitRecipients packet;
    std::size_t bytes = 0;
    const queue::MaildropEnvelope& envelope = dropped.envelope;
    for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
        const std::string& address = envelope.recipients[i];
        if (packet.recipients.size() == ipc::kMaxRecipientsPerMessage ||
            bytes + address.size() > ipc::kRecipientBudget) {
            TRY(channel.send(packet, deadline));
            packet.recipients.clear();
            bytes = 0;
        }
        ipc::SubmitRecipient one{
            .address = address, .original = {}, .notify = envelope.notify, .orcpt = {}};
        if (!envelope.requeued.empty()) {
            const queue::RequeuedRecipient& known = envelope.known.at(i);
            one.original = known.original;
            one.notify = known.notify;
            one.orcpt = known.orcpt;
        }
        bytes += address.size() + one.original.size() + one.orcpt.size();
        packet.recipients.push_back(std::move(one));
    }
    return channel.send(packet, deadline);
}

}  // namespace

Result<Dropped> open_dropped(sys::Fs& fs, const std::string& path) {
    Dropped dropped;
    dropped.path = path;
    // A link, a pipe or a device under that name must neither be followed nor stop us.
    TRY_ASSIGN(dropped.fd, fs.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0));
    TRY_ASSIGN(const sys::FileInfo info, fs.info(dropped.fd.get()));
    if (info.kind != sys::FileInfo::Kind::regular || info.links != 1)
        return Error{Errc::invalid, "not a plain file with one name"};
    // Whoever writes it holds a lock until it is on disk. Taken before that, it would be gone when
    // its submitter looks, who would then report a failure of what has succeeded.
    TRY_ASSIGN(const bool finished, sys::try_lock(dropped.fd.get(), sys::LockKind::shared));
    if (!finished) return Error{Errc::closed, "not complete"};
    dropped.uid = info.uid;
    dropped.arrival = WallTime(Micros(info.mtime_ns / 1000));
    queue::MaildropParser parser({.requeued = may_requeue(info.uid)});
    TRY(read_content(fs, dropped.fd.get(), parser, info.size <= kKeepContent,
                     [&](std::string& bytes) -> Result<void> {
                         dropped.content += bytes;
                         return {};
                     }));
    dropped.envelope = parser.envelope();
    dropped.content_size = parser.content_size();
    return dropped;
}

Result<Submitted> Submitted::start(sys::Fs& fs, const Options& options, Dropped& dropped) {
    const Deadline deadline = Deadline::in(options.timeout);
    TRY_ASSIGN(Conversation c, begin(options, submission_of(options, dropped), deadline));
    const queue::MaildropEnvelope& envelope = dropped.envelope;
    std::string line = cat({"uid=", std::to_string(dropped.uid), " from=<", envelope.sender, ">"});
    if (!envelope.requeued.empty()) {
        line += cat({" orig_id=", envelope.requeued.str()});
        log::story(envelope.requeued.str(), cat({"requeued as ", c.id.str()}));
    }
    log::info(c.id.str(), line);
    TRY(send_recipients(c.channel, dropped, deadline));
    if (dropped.content.size() == dropped.content_size) {
        TRY(write_pipe(c.content.get(), dropped.content, deadline));
    } else {
        queue::MaildropParser parser({.requeued = may_requeue(dropped.uid)});
        TRY(read_content(fs, dropped.fd.get(), parser, true, [&](std::string& bytes) {
            return write_pipe(c.content.get(), bytes, deadline);
        }));
    }
    c.content.reset();
    TRY(c.channel.send(ipc::SubmitEnd{dropped.content_size}, deadline));
    return Submitted(std::move(c.channel), deadline);
}

Result<Submitted> Submitted::start_internal(const Options& options, const std::string& recipient,
                                            const std::string& content) {
    const Deadline deadline = Deadline::in(options.timeout);
    ipc::SubmitOpen open;
    open.origin = ipc::Origin::internal;
    open.recipients.push_back({.address = recipient, .original = {}, .notify = 0, .orcpt = {}});
    TRY_ASSIGN(Conversation c, begin(options, open, deadline));
    TRY(write_pipe(c.content.get(), content, deadline));
    c.content.reset();
    TRY(c.channel.send(ipc::SubmitEnd{content.size()}, deadline));
    return Submitted(std::move(c.channel), deadline);
}

Result<Verdict> Submitted::finish() {
    TRY_ASSIGN(const auto result, channel_.receive<ipc::SubmitResult>(deadline_));
    switch (result.outcome) {
        case ipc::Outcome::accept: return Verdict::accept(result.status, result.text);
        case ipc::Outcome::reject: return Verdict::reject(result.status, result.text);
        case ipc::Outcome::defer: break;
    }
    return Verdict::defer(result.status, result.text);
}

}  // namespace postern::pickup
