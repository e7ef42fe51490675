// postern.seen: any bytes. Whatever they were, what is marked afterwards is kept, a second reader
// sees the same, and the order of mod-sequences goes up.
#include <stdlib.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "lib/base/check.h"
#include "lib/mailbox/private_seen.h"

namespace {

using postern::mailbox::PrivateSeen;

constexpr std::uint64_t kFolder = 1000;  // the folder's mod-sequence

std::string make_folder() {
    std::string pattern = "/tmp/postern-seen-fuzz-XXXXXX";
    POSTERN_CHECK(::mkdtemp(pattern.data()) != nullptr);
    return pattern;
}

void check_same(const PrivateSeen& one, const PrivateSeen& other) {
    for (const std::uint32_t uid : {1U, 2U, 3U, 4U, 5U, 100U, 4294967295U})
        POSTERN_CHECK(one.is_seen(uid) == other.is_seen(uid));
    POSTERN_CHECK(one.highest(kFolder) == other.highest(kFolder));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto& fs = postern::sys::RealFs::instance();
    const std::string folder = make_folder();
    const std::string file = folder + "/Public.7";
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    PrivateSeen seen(fs, file);
    const auto news = seen.refresh();
    POSTERN_CHECK(news);
    for (const auto& range : *news) POSTERN_CHECK(range.first != 0 && range.first <= range.last);
    const std::uint32_t uids[] = {3, 4};
    for (const bool now : {true, false}) {
        const std::uint64_t before = seen.highest(kFolder);
        POSTERN_CHECK(seen.change(kFolder, now, uids));
        POSTERN_CHECK(seen.is_seen(3) == now && seen.is_seen(4) == now);
        POSTERN_CHECK(seen.highest(kFolder) > before);
        PrivateSeen again(fs, file);
        POSTERN_CHECK(again.refresh());
        check_same(seen, again);
    }
    for (const char* name : {"", ".lock"}) (void)fs.unlink(file + name).has_value();
    (void)fs.remove_directory(folder).has_value();
    return 0;
}
