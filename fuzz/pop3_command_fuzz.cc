// A POP3 client's lines into both halves of the engine, and a message through the encoder. The
// first byte chooses whether TLS and passwords in the clear are allowed.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/strings.h"

#include "lib/pop3/login_session.h"
#include "lib/pop3/session.h"

namespace {

using postern::pop3::Action;
using postern::pop3::LoginAction;

// Mechanisms that take whatever comes: the first response is a challenge, the second is the end.
class AnySasl : public postern::pop3::SaslExchange {
  public:
    std::string mechanisms(bool in_clear) override { return in_clear ? "PLAIN X" : "X"; }
    Next begin(std::string_view, std::optional<std::string_view> initial) override {
        return initial ? Next::ask : Next::challenge;
    }
    Next on_response(std::string_view decoded) override {
        return decoded.empty()           ? Next::malformed
               : decoded.size() % 2 == 0 ? Next::challenge
                                         : Next::ask;
    }
    std::string challenge() override { return "more"; }
    std::string take_message() override { return "message"; }
    std::string make_plain(std::string_view user, std::string_view) override {
        return std::string(user);
    }
};

void check_reply(const std::string& reply) {
    POSTERN_CHECK(reply.empty() || reply.ends_with("\r\n"));
    POSTERN_CHECK(reply.empty() || reply.starts_with("+") || reply.starts_with("-ERR"));
}

void check_encoder(std::string_view text, std::optional<std::uint64_t> lines) {
    std::string whole, pieces;
    postern::pop3::MessageEncoder one(lines), many(lines);
    one.encode(text, whole);
    one.finish(whole);
    for (std::size_t at = 0; at < text.size(); at += 3) many.encode(text.substr(at, 3), pieces);
    many.finish(pieces);
    POSTERN_CHECK(whole == pieces);
    POSTERN_CHECK(whole.ends_with(".\r\n"));
    // The terminator comes at the end and nowhere before (RFC 1939 3).
    POSTERN_CHECK(whole == ".\r\n" || whole.find("\r\n.\r\n") == whole.size() - 5);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    AnySasl sasl;
    postern::pop3::LoginSession login(
        {(data[0] & 1) != 0, (data[0] & 2) != 0, (data[0] & 4) == 0, "ready"}, sasl);
    postern::pop3::Session session(
        {10, 20, 30}, [](std::size_t index) { return std::string(1, "abc"[index]); });
    check_reply(login.greet().reply);
    for (const auto line : postern::split(input, '\n')) {
        const LoginAction action = login.on_line(line);
        check_reply(action.reply);
        if (action.then == LoginAction::Then::start_tls) login.on_tls();
        if (action.then == LoginAction::Then::close) break;
    }
    for (const auto line : postern::split(input, '\n')) {
        const Action action = session.on_line(line);
        check_reply(action.reply);
        POSTERN_CHECK(action.index < 3);
        if (action.then == Action::Then::close) break;
    }
    check_encoder(input, std::nullopt);
    check_encoder(input, data[0] % 5);
    return 0;
}
