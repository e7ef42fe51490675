#include "forwarder/body_source.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "lib/sys/error.h"

namespace postern::forwarder {

Result<void> BodySource::read(std::string& out) {
    std::array<char, kPiece> buffer;
    auto want = static_cast<std::size_t>(std::min<std::uint64_t>(extent_.size, buffer.size()));
    if (want > 0) {
        ssize_t got = -1;
        do {
            got = ::pread(extent_.file, buffer.data(), want, static_cast<off_t>(extent_.offset));
        } while (got < 0 && errno == EINTR);
        if (got < 0) return sys::system_error("read queue file");
        if (got == 0) return Error{Errc::corrupt, "queue file: shorter than its message"};
        auto count = static_cast<std::size_t>(got);
        TRY(take({buffer.data(), count}, out));
        extent_.offset += count;
        extent_.size -= count;
    }
    if (extent_.size == 0) {
        if (filter_) {
            filtered_.clear();
            TRY(filter_->finish(filtered_));
            stuffer_.add(filtered_, out);
        }
        stuffer_.finish(out);
        finished_ = true;
    }
    return {};
}

Result<void> BodySource::take(std::string_view bytes, std::string& out) {
    if (filter_) {
        filtered_.clear();
        TRY(filter_->feed(bytes, filtered_));
        bytes = filtered_;
    }
    stuffer_.add(bytes, out);
    return {};
}

}  // namespace postern::forwarder
