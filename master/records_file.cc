#include "master/records_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/base/strings.h"
#include "lib/log/record.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"

namespace postern::master {
namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr int kMarks = 64;  // per retention time: old records go in that many steps
constexpr std::uint64_t kLongest = std::uint64_t{1} << 40;  // ext4 ends at 16 TB, hole or not
constexpr std::size_t kMaxMarksFile = 64 * 1024;

}  // namespace

RecordsLimits records_limits(const config::Config& config) {
    return {config.get(param::trace_size_limit), config.get(param::trace_retention)};
}

Result<RecordsFile> RecordsFile::open(std::string folder, RecordsLimits limits,
                                      const Clock& clock) {
    auto& fs = sys::RealFs::instance();
    if (!fs.info(folder)) TRY(fs.make_directory(folder, 0700));
    const std::string path = cat({folder, "/", log::kRecordsName});
    if (const auto old = fs.info(path); old && old->size > kLongest) TRY(fs.unlink(path));
    TRY_ASSIGN(Fd file,
               fs.open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
    TRY_ASSIGN(const auto info, fs.info(file.get()));
    if (info.kind != sys::FileInfo::Kind::regular)
        return Error{Errc::invalid, path + ": not a regular file"};
    RecordsFile made(std::move(folder), limits, std::move(file), clock);
    const off_t data = ::lseek(made.fd(), 0, SEEK_DATA);
    made.given_back_ = data > 0 ? static_cast<std::uint64_t>(data) / kBlock * kBlock : 0;
    TRY(made.load_marks(info.size, WallTime(Micros(info.mtime_ns / 1000))));
    return made;
}

// "microseconds size" lines, which only we write. Without them the file is as old as its last
// change.
Result<void> RecordsFile::load_marks(std::uint64_t size, WallTime last_change) {
    auto text = sys::read_file(folder_ + "/marks", kMaxMarksFile);
    if (!text && text.error().sys != ENOENT) return std::move(text).error();
    const std::string lines = std::move(text).value_or("");
    for (const auto line : split(lines, '\n')) {
        const auto words = split_words(line);
        if (words.size() != 2) continue;
        const auto time = parse_number<std::int64_t>(words[0]);
        const auto at = parse_number<std::uint64_t>(words[1]);
        if (time && at && *at <= size) marks_.push_back({WallTime(Micros(*time)), *at});
    }
    if (marks_.empty()) marks_.push_back({last_change, size});
    return {};
}

Result<void> RecordsFile::add_mark(std::uint64_t size) {
    marks_.push_back({clock_->now(), size});
    std::string text;
    for (const Mark& mark : marks_)
        text += cat({std::to_string(mark.time.time_since_epoch().count()), " ",
                     std::to_string(mark.size), "\n"});
    return sys::replace_file(folder_ + "/marks", text, 0600);
}

Result<void> RecordsFile::trim() {
    TRY_ASSIGN(const auto info, sys::RealFs::instance().info(fd()));
    const WallTime now = clock_->now();
    std::uint64_t until = info.size > limits_.size ? info.size - limits_.size : 0;
    while (!marks_.empty() && marks_.front().time <= now - limits_.age) {
        until = std::max(until, marks_.front().size);
        marks_.pop_front();
    }
    // A clock that was set back leaves marks of the future: they would never come due.
    while (!marks_.empty() && marks_.back().time > now + limits_.age) marks_.pop_back();
    const bool grown = marks_.empty() || marks_.back().size < info.size;
    if (grown && (marks_.empty() || now - marks_.back().time >= limits_.age / kMarks))
        TRY(add_mark(info.size));
    return give_back(std::min(until, info.size));
}

Result<void> RecordsFile::give_back(std::uint64_t until) {
    until = until / kBlock * kBlock;
    if (until <= given_back_) return {};
    const auto length = static_cast<off_t>(until - given_back_);
    if (::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(given_back_), length) != 0) {
        if (errno != EOPNOTSUPP && errno != ENOSYS) return sys::system_error("trim trace records");
        // A file system without holes: all go. Writers append, so that they begin anew at 0.
        TRY(sys::RealFs::instance().truncate(fd(), 0));
        marks_.clear();
        given_back_ = 0;
        return {};
    }
    given_back_ = until;
    return {};
}

}  // namespace postern::master
