#include "lib/base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/base/check.h"

namespace postern {

std::string Random::bytes(std::size_t count) {
    std::string out;
    out.reserve(count);
    while (out.size() < count) {
        const std::uint64_t word = next();
        char raw[sizeof word];
        std::memcpy(raw, &word, sizeof word);
        out.append(raw, std::min(sizeof word, count - out.size()));
    }
    return out;
}

std::uint64_t SystemRandom::next() {
    std::uint64_t word = 0;
    // Eight bytes are never cut short (getrandom(2)); early at boot the wait for a seed may be
    // interrupted.
    ssize_t size = 0;
    do {
        size = ::getrandom(&word, sizeof word, 0);
    } while (size < 0 && errno == EINTR);
    POSTERN_CHECK(size == static_cast<ssize_t>(sizeof word));
    return word;
}

SystemRandom& SystemRandom::instance() {
    static SystemRandom random;
    return random;
}

}  // namespace postern
