// maildirsize, as other programs or other users may have left it: any bytes. What it says is never
// below zero, a count mends it, and the first line of a tree's stays as it is.
#include <stdlib.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "lib/base/check.h"
#include "lib/log/log.h"
#include "lib/mailbox/quota.h"

namespace {

using postern::SystemClock;
using postern::mailbox::Quota;
using postern::mailbox::QuotaUsage;

std::string make_folder() {
    std::string pattern = "/tmp/postern-quota-fuzz-XXXXXX";
    POSTERN_CHECK(::mkdtemp(pattern.data()) != nullptr);
    return pattern;
}

std::string first_line(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string line;
    std::getline(file, line);
    return line;
}

// There is no message: a count finds none.
void use(const Quota& quota) {
    const auto before = quota.usage();
    POSTERN_CHECK(before && before->storage >= 0 && before->messages >= 0);
    (void)quota.check(100, 1).has_value();
    quota.add(-5, -1);
    POSTERN_CHECK(quota.recount().value() == QuotaUsage{});
    POSTERN_CHECK(quota.usage().value() == QuotaUsage{});
    quota.add(7, 1);
    if (quota.limits().any()) POSTERN_CHECK((quota.usage().value() == QuotaUsage{7, 1}));
    quota.forget();
    POSTERN_CHECK(quota.usage().value() == QuotaUsage{});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    postern::log::open_capture();
    const std::string folder = make_folder();
    const std::string file = folder + "/maildirsize";
    const auto write = [&] {
        std::ofstream(file, std::ios::binary)
            .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    };
    auto& fs = postern::sys::RealFs::instance();
    write();
    use(Quota(fs, SystemClock::instance(), folder, {1000, 5}));
    write();
    const std::string line = first_line(file);
    const Quota tree = Quota::of_tree(fs, SystemClock::instance(), folder);
    use(tree);
    POSTERN_CHECK(first_line(file) == line);
    (void)postern::log::take_captured();
    const auto left = fs.list(folder);
    POSTERN_CHECK(left);
    for (const auto& entry : *left) (void)fs.unlink(folder + "/" + entry.name).has_value();
    (void)fs.remove_directory(folder).has_value();
    return 0;
}
