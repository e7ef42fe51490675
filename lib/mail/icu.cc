#include "lib/mail/icu.h"

namespace postern::mail {
namespace {

Result<IcuLibrary> open_icu_library_release(int release) {
    const std::string number = std::to_string(release);
    TRY_ASSIGN(auto library, SharedLibrary::open(("libicuuc.so." + number).c_str(), "libicu72"));
    return IcuLibrary{std::move(library), number};
}

}  // namespace

Result<IcuLibrary> open_icu_library() {
    auto icu = open_icu_library_release(72);
    for (int release = 80; !icu && release >= 63; --release) {
        auto other = open_icu_library_release(release);
        if (other) return other;
    }
    return icu;
}

}  // namespace postern::mail
