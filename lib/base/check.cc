#include "lib/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace postern {
namespace {
CheckReporter g_reporter = nullptr;
}

void set_check_reporter(CheckReporter reporter) { g_reporter = reporter; }

void check_failed(const char* expression, const char* file, int line) {
    char text[512];
    std::snprintf(text, sizeof text, "panic: check failed: %s at %s:%d", expression, file, line);
    if (g_reporter != nullptr) {
        g_reporter(text);
    } else {
        std::fprintf(stderr, "%s\n", text);
    }
    std::abort();
}

}  // namespace postern
