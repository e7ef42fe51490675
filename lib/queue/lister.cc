// Lister: see lister.h. A file that qmgr has taken up is locked (qmgr/store.h): its messages are
// active.
#include "lib/queue/lister.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <utility>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"
#include "lib/queue/admin.h"
#include "lib/queue/bounce_log.h"
#include "lib/queue/maildrop.h"
#include "lib/sys/file.h"

namespace postern::queue {

ipc::QueueListEnd Lister::list(const Sink& sink) {
    ipc::QueueListEnd totals;
    moving_.clear();
    for (Directory directory : {Directory::maildrop, Directory::incoming, Directory::active,
                                Directory::deferred, Directory::hold}) {
        if (!list_directory(directory, sink, totals)) break;
    }
    return totals;
}

// Folder by folder: the first line of a large queue shall not wait for the names of all of it.
bool Lister::list_directory(Directory directory, const Sink& sink, ipc::QueueListEnd& totals) {
    const std::string top(name_of(directory));
    std::vector<std::string> folders{top};
    if (directory == Directory::deferred) {
        const auto entries = fs_.list(top);
        for (std::size_t i = 0; entries && i < entries->size(); ++i) {
            const sys::DirEntry& entry = (*entries)[i];
            if (entry.kind == sys::FileInfo::Kind::directory)
                folders.push_back(cat({top, "/", entry.name}));
        }
        std::sort(folders.begin(), folders.end());
    }
    return std::all_of(folders.begin(), folders.end(), [&](const std::string& folder) {
        return list_folder(directory, folder, sink, totals);
    });
}

bool Lister::list_folder(Directory directory, const std::string& folder, const Sink& sink,
                         ipc::QueueListEnd& totals) {
    const auto entries = fs_.list(folder);
    if (!entries) return true;  // maildrop/ is not open to showq, and empty while pickup runs
    std::vector<QueueId> names;
    for (const sys::DirEntry& entry : *entries) {
        auto id = QueueId::parse(entry.name);
        if (id && entry.kind == sys::FileInfo::Kind::regular) names.push_back(std::move(*id));
    }
    std::sort(names.begin(), names.end());
    return std::all_of(names.begin(), names.end(), [&](const QueueId& name) {
        return directory == Directory::maildrop ? list_submitted(name, sink, totals)
                                                : list_file(directory, name, sink, totals);
    });
}

bool Lister::list_file(Directory directory, const QueueId& name, const Sink& sink,
                       ipc::QueueListEnd& totals) {
    auto fd = open_queue_file(fs_, path_of(directory, name), O_RDONLY);
    if (!fd) return true;
    auto reader = Reader::open(fs_, fd->get());
    auto info = fs_.info(fd->get());
    if (!reader || !info) return true;
    auto lock = sys::try_lock(fd->get(), sys::LockKind::shared);
    bool active = directory != Directory::hold && lock && !*lock;
    for (std::size_t i = 0; i < reader->count(); ++i) {
        auto message = reader->message(i);
        if (!message || message->envelope.remaining() == 0) continue;
        const std::string id = message->envelope.id.str();
        const bool resting = directory == Directory::deferred || directory == Directory::hold;
        if (resting ? moving_.contains(id) : !moving_.insert(id).second) continue;
        ipc::QueueListEntry entry;
        entry.queue_name = active ? "active" : std::string(name_of(directory));
        entry.forced_expire = (info->mode & kModeForceExpire) != 0;
        if (!tell(*message, std::move(entry), sink)) return false;
        ++totals.count;
        totals.bytes += message->body.size;
    }
    return true;
}

// What local users have submitted and pickup has not taken yet.
bool Lister::list_submitted(const QueueId& name, const Sink& sink, ipc::QueueListEnd& totals) {
    auto fd = open_queue_file(fs_, path_of(Directory::maildrop, name), O_RDONLY);
    if (!fd) return true;
    auto info = fs_.info(fd->get());
    auto envelope = read_maildrop_envelope(fs_, fd->get());
    if (!info || !envelope) return true;  // still being written
    ipc::QueueListEntry entry;
    entry.queue_name = name_of(Directory::maildrop);
    entry.queue_id = name;
    entry.arrival = WallTime(
        std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(info->mtime_ns)));
    entry.size = info->size;
    entry.sender = envelope->sender;
    ++totals.count;
    totals.bytes += info->size;
    std::vector<ipc::QueueListRecipient> recipients;
    for (std::string& address : envelope->recipients)
        recipients.push_back({std::move(address), ""});
    return tell_recipients(std::move(entry), std::move(recipients), sink);
}

std::unordered_map<std::string, std::string> Lister::reasons_for(const QueueId& id) {
    std::unordered_map<std::string, std::string> reasons;
    auto log = sys::read_file(path_of(Directory::defer, id), kMaxBounceLog);
    if (!log) return reasons;
    for (BounceRecord& record : parse_bounce_log(*log)) {
        reasons[record.address] = printable(record.text, ipc::kMaxText);
    }
    return reasons;
}

bool Lister::tell(const Message& message, ipc::QueueListEntry entry, const Sink& sink) {
    const Envelope& envelope = message.envelope;
    entry.queue_id = envelope.id;
    entry.arrival = envelope.arrival;
    entry.size = message.body.size;
    entry.sender = envelope.sender;
    entry.priority = envelope.priority();
    entry.release = envelope.release();
    const bool held = entry.release > SystemClock::instance().now();
    const std::string waiting =
        held ? cat({"future release: not before ", format_date_time(entry.release)}) : "";
    std::unordered_map<std::string, std::string> reasons;
    if (entry.queue_name != "active") reasons = reasons_for(envelope.id);
    std::vector<ipc::QueueListRecipient> recipients;
    for (const Recipient& recipient : envelope.recipients) {
        if (recipient.done) continue;
        const auto reason = reasons.find(recipient.address);
        recipients.push_back(
            {recipient.address, reason == reasons.end() ? waiting : reason->second});
    }
    return tell_recipients(std::move(entry), std::move(recipients), sink);
}

bool Lister::tell_recipients(ipc::QueueListEntry entry,
                             std::vector<ipc::QueueListRecipient> recipients, const Sink& sink) {
    std::size_t bytes = 0;
    for (ipc::QueueListRecipient& recipient : recipients) {
        const std::size_t size = recipient.address.size() + recipient.reason.size() + 50;
        bytes += size;
        const bool full = entry.recipients.size() == ipc::kMaxRecipientsPerMessage ||
                          bytes > ipc::kRecipientBudget;
        if (full && !entry.recipients.empty()) {
            entry.more = true;
            if (!sink(entry)) return false;
            entry.more = false;
            entry.recipients.clear();
            bytes = size;
        }
        entry.recipients.push_back(std::move(recipient));
    }
    return sink(entry);
}

}  // namespace postern::queue
