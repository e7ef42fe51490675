#include "lib/base/random.h"

#include <sys/random.h>

#include <algorithm>
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
    // Eight bytes are never interrupted or cut short once the generator is seeded (getrandom(2)).
    POSTERN_CHECK(::getrandom(&word, sizeof word, 0) == static_cast<ssize_t>(sizeof word));
    return word;
}

SystemRandom& SystemRandom::instance() {
    static SystemRandom random;
    return random;
}

}  // namespace postern
