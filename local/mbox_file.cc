#include "local/mbox_file.h"

#include <unistd.h>

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

Result<void> append(sys::Fs& fs, int fd, const sys::FileInfo& info, const MboxRules& rules,
                    const AppendText& text) {
    Appender out(fs, fd, info.size, info.kind == Kind::regular ? rules.size_limit : 0);
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
