// Records: see records.h.
#include "bounce/records.h"

#include <fcntl.h>

#include <array>
#include <string>

#include "lib/base/strings.h"
#include "lib/queue/directories.h"
#include "lib/sys/file.h"

namespace postern::bounce {
namespace {

queue::Directory directory_of(ipc::BounceLog log) {
    switch (log) {
        case ipc::BounceLog::bounce: return queue::Directory::bounce;
        case ipc::BounceLog::defer: return queue::Directory::defer;
        case ipc::BounceLog::trace: return queue::Directory::trace;
    }
    return queue::Directory::defer;
}

std::string notify_words(std::uint8_t bits) {
    static constexpr std::array<std::pair<std::uint8_t, std::string_view>, 4> kWords{
        {{ipc::kNotifyNever, "NEVER"},
         {ipc::kNotifySuccess, "SUCCESS"},
         {ipc::kNotifyFailure, "FAILURE"},
         {ipc::kNotifyDelay, "DELAY"}}};
    std::vector<std::string> words;
    for (const auto& [bit, word] : kWords) {
        if ((bits & bit) != 0) words.emplace_back(word);
    }
    return join(words, ",");
}

std::string_view action_word(ipc::DsnAction action) {
    switch (action) {
        case ipc::DsnAction::failed: return "failed";
        case ipc::DsnAction::delayed: return "delayed";
        case ipc::DsnAction::delivered: return "delivered";
        case ipc::DsnAction::relayed: return "relayed";
        case ipc::DsnAction::expanded: return "expanded";
        case ipc::DsnAction::deliverable: return "deliverable";
        case ipc::DsnAction::undeliverable: return "undeliverable";
    }
    return "failed";
}

queue::BounceRecord record_of(const ipc::BounceAppend& request) {
    queue::BounceRecord record;
    record.address = request.recipient.address;
    record.original = request.recipient.original;
    record.orcpt = request.recipient.orcpt;
    record.notify = notify_words(request.recipient.notify);
    record.action = action_word(request.report.action);
    record.status = request.report.status;
    record.text = request.report.text;
    record.remote_mta = request.report.remote_mta;
    record.diagnostic_type = request.report.diagnostic_type;
    record.diagnostic = request.report.diagnostic;
    return record;
}

// A crash may have left half a record, or zeros where one should be: the next must not become part
// of that.
Result<bool> ends_whole(sys::Fs& fs, int file, std::uint64_t size) {
    if (size == 0) return true;
    const std::size_t count = queue::kBounceRecordEnd.size();
    if (size < count) return false;
    TRY_ASSIGN(const std::string end, fs.read_at(file, size - count, count));
    return end == queue::kBounceRecordEnd;
}

}  // namespace

Result<void> Records::append(const ipc::BounceAppend& request) {
    if (request.queue_id.empty()) return Error{Errc::invalid, "bounce record without queue id"};
    queue::Directory directory = directory_of(request.log);
    TRY(queue::create_parent(fs_, directory, request.queue_id));
    std::string path = queue::path_of(directory, request.queue_id);
    TRY_ASSIGN(Fd file, fs_.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    std::string text = queue::format_bounce_record(record_of(request));
    TRY_ASSIGN(sys::FileInfo info, fs_.info(file.get()));
    TRY_ASSIGN(const bool whole, ends_whole(fs_, file.get(), info.size));
    if (!whole) text.insert(0, queue::kBounceRecordEnd);
    if (info.size + text.size() > queue::kMaxBounceLog)
        return Error{Errc::no_space, cat({path, ": log is full"})};
    TRY(fs_.write(file.get(), text));
    if (request.log == ipc::BounceLog::defer) return {};
    return fs_.sync(file.get());
}

Result<std::vector<queue::BounceRecord>> Records::read(ipc::BounceLog log, const QueueId& id) {
    auto text = sys::read_file(queue::path_of(directory_of(log), id), queue::kMaxBounceLog);
    if (text) return queue::parse_bounce_log(*text);
    if (text.error().code == Errc::not_found) return std::vector<queue::BounceRecord>();
    return std::move(text).error();
}

Result<void> Records::forget(ipc::BounceLog log, const QueueId& id) {
    auto removed = fs_.unlink(queue::path_of(directory_of(log), id));
    if (removed || removed.error().code == Errc::not_found) return {};
    return removed;
}

}  // namespace postern::bounce
