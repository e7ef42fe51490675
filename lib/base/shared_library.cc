#include "lib/base/shared_library.h"

#include <dlfcn.h>

#include "lib/base/strings.h"

namespace postern {

Result<SharedLibrary> SharedLibrary::open(const char* name, std::string_view package) {
    void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) return SharedLibrary(handle, name);
    const char* why = dlerror();
    return Error{Errc::temporary,
                 cat({"cannot load ", name, " (", why != nullptr ? why : "unknown error",
                      "): install the package ", package})};
}

void* SharedLibrary::find(const char* name) {
    void* function = dlsym(handle_, name);
    if (function == nullptr && missing_.empty()) missing_ = name;
    return function;
}

Result<void> SharedLibrary::check() const {
    if (missing_.empty()) return {};
    return Error{Errc::temporary, cat({name_, ": has no function ", missing_})};
}

}  // namespace postern
