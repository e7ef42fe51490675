// ICU, loaded when it is first needed. Its functions' names end with its release, and so does the
// library's.
#pragma once

#include <string>

#include "lib/base/shared_library.h"

namespace postern::mail {

struct IcuLibrary {
    SharedLibrary library;
    std::string release;

    // u_totitle -> u_totitle_72
    std::string name(std::string_view function) const {
        return std::string(function) + "_" + release;
    }
};

// Of the releases that distributions have: the one that Debian 12 has first. Errc::not_found names
// the package that is missing.
Result<IcuLibrary> open_icu_library();

}  // namespace postern::mail
