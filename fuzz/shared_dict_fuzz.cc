// The file that says who shares folders with whom: any bytes. Those who are found are found in
// order, at most so many; who is added is found, and keys of others stay.
#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>

#include "lib/base/check.h"
#include "lib/mailbox/shared_dict.h"

namespace {

using postern::mailbox::Person;
using postern::mailbox::SharedDict;

constexpr std::size_t kMany = 1 << 20;

std::string make_folder() {
    std::string pattern = "/tmp/postern-dict-fuzz-XXXXXX";
    POSTERN_CHECK(::mkdtemp(pattern.data()) != nullptr);
    return pattern;
}

std::vector<std::string> owners(const SharedDict& dict, const Person& person, std::size_t limit) {
    auto found = dict.owners_for(person, limit);
    POSTERN_CHECK(found);
    POSTERN_CHECK(found->size() <= limit && std::is_sorted(found->begin(), found->end()));
    POSTERN_CHECK(std::find(found->begin(), found->end(), person.user) == found->end());
    return *std::move(found);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string folder = make_folder();
    const std::string file = folder + "/shared";
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    auto& fs = postern::sys::RealFs::instance();
    const SharedDict dict(fs, file);
    const Person fred{"fred", {"staff"}};
    const auto before = owners(dict, fred, kMany);
    (void)owners(dict, fred, 1);
    POSTERN_CHECK(dict.publish("ann/o\\1", {"fred", "$staff", "anyone", "x/y"}, true));
    auto want = before;
    want.emplace_back("ann/o\\1");
    std::sort(want.begin(), want.end());
    want.erase(std::unique(want.begin(), want.end()), want.end());
    POSTERN_CHECK(owners(dict, fred, kMany) == want);
    POSTERN_CHECK(dict.publish("ann/o\\1", {}, false));
    std::erase(want, "ann/o\\1");
    POSTERN_CHECK(owners(dict, fred, kMany) == want);
    for (const char* name : {"", ".postern-lock"}) (void)fs.unlink(file + name).has_value();
    (void)fs.remove_directory(folder).has_value();
    return 0;
}
