// postern.uids: any bytes. A list that is understood has UIDs below its next one, and one that is
// not is replaced by one that is.
#include <stdlib.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "lib/base/check.h"
#include "lib/mailbox/uid_list.h"

namespace {

using postern::mailbox::Environment;
using postern::mailbox::UidList;

std::string make_folder() {
    std::string pattern = "/tmp/postern-uids-fuzz-XXXXXX";
    POSTERN_CHECK(::mkdtemp(pattern.data()) != nullptr);
    return pattern;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string folder = make_folder();
    const std::string file = folder + "/postern.uids";
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    const Environment env{folder, &postern::sys::RealFs::instance(),
                          &postern::SystemClock::instance(), &postern::SystemRandom::instance()};
    UidList list(env, folder);
    POSTERN_CHECK(list.refresh());
    if (list.usable()) POSTERN_CHECK(list.next_uid() != 0 && list.find("a") < list.next_uid());
    POSTERN_CHECK(list.ensure() && list.usable());
    UidList again(env, folder);
    POSTERN_CHECK(again.refresh() && again.usable() && again.validity() == list.validity());
    for (const char* name : {"/postern.uids", "/postern.uidvalidity", "/postern.uidvalidity.lock"})
        (void)env.fs->unlink(folder + name).has_value();
    (void)env.fs->remove_directory(folder).has_value();
    return 0;
}
