#include "local/mbox_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/base/strings.h"

namespace postern::local {
namespace {

using Kind = sys::FileInfo::Kind;

Result<void> check(const sys::FileInfo& info, const std::string& path, const MboxRules& rules) {
    if (info.kind == Kind::other) return {};  // a device
    if (info.kind != Kind::regular) return Error{Errc::invalid, path + ": not a regular file"};
    if (info.links != 1)
        return Error{Errc::invalid,
                     cat({path, ": file has ", std::to_string(info.links), " hard links"})};
    if (rules.must_be_ours && info.uid != geteuid())
        return Error{Errc::temporary, cat({"destination ", path, " is not owned by recipient"})};
    if (rules.refuse_executable && (info.mode & 0111) != 0)
        return Error{Errc::denied, path + ": file is executable"};
    return {};
}

// Collects small pieces.
class Appender {
  public:
    Appender(sys::Fs& fs, int fd, std::uint64_t size, std::uint64_t limit)
        : fs_(fs), fd_(fd), size_(size), limit_(limit) {}
    Result<void> write(std::string_view bytes) {
        size_ += bytes.size();
        if (limit_ != 0 && size_ > limit_)
            return Error{Errc::no_space, "mailbox size limit exceeded", EFBIG};
        buffer_ += bytes;
        return buffer_.size() < kBuffer ? Result<void>() : flush();
    }
    Result<void> flush() {
        if (buffer_.empty()) return {};
        const std::string bytes = std::move(buffer_);
        buffer_.clear();
        return fs_.write(fd_, bytes);
    }

  private:
    static constexpr std::size_t kBuffer = 64 * 1024;
    sys::Fs& fs_;
    int fd_;
    std::uint64_t size_, limit_;
    std::string buffer_;
};

// A message begins behind an empty line, or it is hidden in the one before it. Which line ends the
// file lacks for that: a crash amid an append leaves it so, or another program. Nothing can be told
// of a file that may only be written to.
Result<std::string_view> missing_at_end(sys::Fs& fs, int fd, std::uint64_t size) {
    using namespace std::string_view_literals;
    constexpr std::uint64_t kLongest = 3;  // "\n\r\n"
    const auto count = static_cast<std::size_t>(std::min(size, kLongest));
    const auto end = fs.read_at(fd, size - count, count);
    if (!end && end.error().sys == EBADF) return ""sv;
    if (!end) return Error(end.error());
    const bool is_line = end->ends_with('\n');
    const bool is_empty_line =
        *end == "\n" || *end == "\r\n" || end->ends_with("\n\n") || end->ends_with("\n\r\n");
    return size == 0 || is_empty_line ? ""sv : is_line ? "\n"sv : "\n\n"sv;
}

Result<void> append(sys::Fs& fs, int fd, const sys::FileInfo& info, const MboxRules& rules,
                    const AppendText& text) {
    Appender out(fs, fd, info.size, info.kind == Kind::regular ? rules.size_limit : 0);
    if (info.kind == Kind::regular) {
        TRY_ASSIGN(const auto missing, missing_at_end(fs, fd, info.size));
        TRY(out.write(missing));
    }
    TRY(text([&](std::string_view bytes) { return out.write(bytes); }));
    TRY(out.flush());
    return info.kind == Kind::regular ? fs.sync(fd) : Result<void>();
}

}  // namespace

Result<void> append_to_mbox(sys::Fs& fs, const std::string& path, const MboxRules& rules,
                            const AppendText& text) {
    mailbox::DotLock dotlock(fs, path);
    TRY(dotlock.take(rules));
    TRY_ASSIGN(const Fd file, mailbox::open_mbox(fs, path));
    TRY_ASSIGN(auto info, fs.info(file.get()));
    TRY(check(info, path, rules));
    if (info.kind == Kind::regular) {
        TRY(dotlock.lock_open_file(file.get(), rules));
        TRY_ASSIGN(info, fs.info(file.get()));  // its length, now that nobody else changes it
    }
    auto done = append(fs, file.get(), info, rules, text);
    if (done || info.kind != Kind::regular) return done;
    if (auto back = fs.truncate(file.get(), info.size); !back)
        return std::move(done).error().within(back.error().what);
    return done;
}

}  // namespace postern::local
