#include "lib/service/snapshot.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"

namespace postern::service {

// Format: three decimal sizes on one line, then the three texts.
Result<Fd> seal_snapshot(const config::Snapshot& snapshot) {
    const auto size = [](const std::string& text) { return std::to_string(text.size()); };
    const std::string bytes = cat({size(snapshot.directory), " ", size(snapshot.main_cf), " ", size(snapshot.master_cf), "\n",
                                   snapshot.directory, snapshot.main_cf, snapshot.master_cf});
    Fd fd(::memfd_create("configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd) return sys::system_error("configuration snapshot");
    TRY(sys::RealFs::instance().write(fd.get(), bytes));
    if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return sys::system_error("seal configuration snapshot");
    return fd;
}

Result<config::Snapshot> read_snapshot(Fd sealed) {
    auto& fs = sys::RealFs::instance();
    TRY_ASSIGN(const auto info, fs.info(sealed.get()));
    TRY_ASSIGN(const std::string bytes, fs.read_at(sealed.get(), 0, info.size));
    const auto parts = split_once(bytes, '\n');
    const auto sizes = split_words(parts ? parts->first : "");
    const Error malformed{Errc::corrupt, "configuration snapshot: malformed"};
    if (sizes.size() != 3) return malformed;
    std::string texts[3];
    std::size_t at = parts->first.size() + 1;
    for (std::size_t i = 0; i < 3; ++i) {
        const auto size = parse_number<std::size_t>(sizes[i]);
        if (!size || *size > bytes.size() - at) return malformed;
        texts[i] = bytes.substr(at, *size);
        at += *size;
    }
    return config::Snapshot{std::move(texts[0]), std::move(texts[1]), std::move(texts[2])};
}

}  // namespace postern::service
