// The messages of a SCRAM client, up to a line end the first, behind it the last, and what may be
// stored for a user. The first byte chooses mechanism and what the connection has.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/strings.h"

#include "lib/sasl/scram.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using postern::Errc;
    using postern::sasl::ScramServer;
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto digest =
        (data[0] & 1) != 0 ? postern::crypto::Digest::sha1 : postern::crypto::Digest::sha256;
    const std::size_t key_size = postern::crypto::digest_size(digest);
    const bool bound = (data[0] & 4) != 0;
    ScramServer server({digest, (data[0] & 2) != 0}, {"", bound ? "exporter" : "", ""}, bound,
                       "nonce");
    const auto parts = postern::split_once(input, '\n');
    const auto first = server.first(parts ? parts->first : input);
    if (first) {
        POSTERN_CHECK(!first->user.empty());
        const auto challenge =
            server.challenge({1, "salt", std::string(key_size, 'k'), std::string(key_size, 's')});
        POSTERN_CHECK(challenge.starts_with("r=") && challenge.ends_with(",s=c2FsdA==,i=1"));
        // Nobody knows what such a key was made of.
        POSTERN_CHECK(!server.last(parts ? parts->second : std::string_view()));
    }
    if (const auto stored = postern::sasl::parse_scram(digest, input))
        POSTERN_CHECK(
            postern::sasl::parse_scram(digest, postern::sasl::format_scram(*stored)).has_value());
    return 0;
}
