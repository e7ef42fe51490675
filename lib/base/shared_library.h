// A library that is loaded when it is first needed (PCRE, LMDB, SQL, LDAP by the first such table,
// libidn2 by the first domain that is not ASCII): programs without such a need neither link nor
// start with it. Its functions are declared by their users with the library's published ABI.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern {

class SharedLibrary {
  public:
    // "libpcre2-8.so.0"; the Error says which Debian package brings it. Stays loaded.
    static Result<SharedLibrary> open(const char* name, std::string_view package);

    // Finds a function; the first that is missing is remembered for check().
    template <class F>
    SharedLibrary& bind(F*& function, const char* name) {
        function = reinterpret_cast<F*>(find(name));
        return *this;
    }
    // The Error when a function that was bound does not exist.
    Result<void> check() const;

  private:
    explicit SharedLibrary(void* handle, const char* name) : handle_(handle), name_(name) {}
    void* find(const char* name);

    void* handle_;
    std::string name_, missing_;
};

}  // namespace postern
