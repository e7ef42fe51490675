// A client's bytes into the login half of IMAP and of POP3, as login's driver feeds them. The first
// byte chooses the protocol, what is allowed, and the size of the pieces.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/check.h"
#include "lib/sasl/server_exchange.h"

#include "login/login_engine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using postern::login::Step;
    if (size == 0) return 0;
    std::vector<std::string> unknown;
    const postern::login::EngineOptions options{
        (data[0] & 1) != 0, (data[0] & 2) != 0, "ready",
        postern::sasl::Mechanisms::parse({"plain", "login", "scram-sha-256"}, unknown)};
    unsigned challenges = data[0] >> 4U;  // of an auth that wants to hear more
    const auto engine = (data[0] & 4) != 0 ? make_pop3_login(options) : make_imap_login(options);
    const std::size_t piece = (data[0] & 8) != 0 ? 1 : 64;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::string buffer;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        buffer += input.substr(at, piece);
        for (;;) {
            std::string_view rest = buffer;
            auto step = engine->feed(rest);
            buffer.erase(0, buffer.size() - rest.size());
            if (!step) break;
            POSTERN_CHECK(step->reply.empty() || step->reply.ends_with("\r\n"));
            if (step->then == Step::Then::close) return 0;
            if (step->then == Step::Then::start_tls) engine->on_tls({true, false});
            if (step->then != Step::Then::authenticate) continue;
            // What goes to auth is a well-formed message, or auth refuses it; the client hears so
            // either way.
            (void)postern::sasl::parse_plain(step->question.response).has_value();
            if (step->question.mechanism != "PLAIN" && challenges > 0) {
                --challenges;
                POSTERN_CHECK(engine->on_challenge(input.substr(0, 20)).reply.starts_with("+ "));
                continue;
            }
            if (engine->on_auth_failed(false).then == Step::Then::close) return 0;
        }
        POSTERN_CHECK(buffer.size() <= 65536);
    }
    return 0;
}
