#include "lib/pop3/login_session.h"

#include <algorithm>

#include "lib/base/encode.h"
#include "lib/base/strings.h"

namespace postern::pop3 {
namespace {

constexpr std::string_view kPlaintextDisallowed =
    "-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.";

LoginAction answer(std::string_view text, LoginAction::Then then = LoginAction::Then::go_on) {
    return {cat({text, "\r\n"}), then, {}, {}};
}

}  // namespace

LoginAction LoginSession::greet() const { return answer("+OK " + options_.greeting); }

LoginAction LoginSession::error(std::string_view text) {
    if (++bad_commands_ >= kMaxBadCommands)
        return answer("-ERR Too many invalid commands.", LoginAction::Then::close);
    return answer(text);
}

LoginAction LoginSession::on_line_too_long() {
    in_sasl_ = false;
    return error("-ERR Input line too long.");
}

LoginAction LoginSession::on_line(std::string_view line) {
    if (in_sasl_) return on_sasl_line(line);
    const Command command = Command::parse(line);
    if (command.verb == "USER") return user(command);
    if (command.verb == "PASS") return pass(command);
    if (command.verb == "AUTH") return auth(command);
    if (command.verb == "STLS") return stls();
    if (command.verb == "CAPA") return capa();
    // RFC 6856 2: messages are sent as they are with it and without, names and passwords are bytes
    if (command.verb == "UTF8")
        return command.words.empty() ? answer("+OK") : error("-ERR Invalid arguments.");
    if (command.verb == "QUIT") return answer("+OK Logging out", LoginAction::Then::close);
    if (command.verb == "NOOP") return answer("+OK");
    return error("-ERR Unknown command.");
}

void LoginSession::on_tls() {
    secured_ = true;
    user_.clear();
}

LoginAction LoginSession::user(const Command& command) {
    if (!options_.passwords) return error("-ERR [AUTH] USER is disabled; use AUTH.");
    if (!in_clear()) return error(kPlaintextDisallowed);
    if (command.rest.empty()) return error("-ERR No username given.");
    user_ = command.rest;
    return answer("+OK");
}

LoginAction LoginSession::pass(const Command& command) {
    if (user_.empty()) return error("-ERR No username given.");
    if (command.rest.empty()) return error("-ERR No password given.");
    LoginAction action{
        {}, LoginAction::Then::authenticate, sasl_.make_plain(user_, command.rest), "USER"};
    user_.clear();
    return action;
}

LoginAction LoginSession::auth(const Command& command) {
    // RFC 5034 3: without a mechanism the command is not defined; clients of old expect a list.
    if (command.words.empty()) {
        std::string reply = "+OK\r\n";
        const std::string names = sasl_.mechanisms(in_clear());
        for (const auto name : split_words(names)) reply += cat({name, "\r\n"});
        return {reply + ".\r\n", LoginAction::Then::go_on, {}, {}};
    }
    if (command.words.size() > 2) return error("-ERR Invalid arguments.");
    mechanism_ = to_upper(command.words[0]);
    if (!offers(mechanism_, true)) return error("-ERR Unsupported authentication mechanism.");
    if (!offers(mechanism_, in_clear())) return error(kPlaintextDisallowed);
    if (command.words.size() == 1) return advance(sasl_.begin(mechanism_, std::nullopt));
    // RFC 5034 4: "=" is an empty initial response.
    const auto initial = command.words[1] == "=" ? std::string() : base64_decode(command.words[1]);
    if (!initial) return error("-ERR Invalid base64 data in initial response.");
    return advance(sasl_.begin(mechanism_, *initial));
}

bool LoginSession::offers(std::string_view mechanism, bool in_clear) const {
    const std::string names = sasl_.mechanisms(in_clear);
    const auto words = split_words(names);
    return std::find(words.begin(), words.end(), mechanism) != words.end();
}

LoginAction LoginSession::on_sasl_line(std::string_view line) {
    in_sasl_ = false;
    // RFC 5034 4: "*" cancels.
    if (line == "*") return error("-ERR Authentication aborted by client.");
    const auto decoded = base64_decode(line);
    if (!decoded) return error("-ERR Invalid base64 data in continued response.");
    return advance(sasl_.on_response(*decoded));
}

LoginAction LoginSession::advance(SaslExchange::Next next) {
    switch (next) {
        case SaslExchange::Next::challenge: return on_challenge(sasl_.challenge());
        case SaslExchange::Next::ask:
            return {{}, LoginAction::Then::authenticate, sasl_.take_message(), mechanism_};
        case SaslExchange::Next::malformed: break;
    }
    return error("-ERR [AUTH] Authentication failed.");
}

LoginAction LoginSession::on_challenge(std::string_view challenge) {
    in_sasl_ = true;
    return answer("+ " + base64_encode(challenge));
}

LoginAction LoginSession::stls() {
    if (secured_) return error("-ERR TLS is already active.");
    if (!options_.starttls_available) return error("-ERR TLS support isn't enabled.");
    return answer("+OK Begin TLS negotiation now.", LoginAction::Then::start_tls);
}

LoginAction LoginSession::capa() const {
    std::string reply =
        "+OK\r\n" + capability_lines({options_.login_delay, options_.passwords && in_clear(),
                                      sasl_.mechanisms(in_clear())});
    if (options_.starttls_available && !secured_) reply += "STLS\r\n";  // RFC 2595 4: before only
    return {reply + "IMPLEMENTATION Postern\r\n.\r\n", LoginAction::Then::go_on, {}, {}};
}

LoginAction LoginSession::on_auth_failed(bool temporary) {
    // RFC 3206: the codes tell a client whether asking for another password would help.
    return error(temporary ? "-ERR [SYS/TEMP] Temporary authentication failure."
                           : "-ERR [AUTH] Authentication failed.");
}

LoginAction LoginSession::on_refused(bool too_soon, std::string_view text) {
    // RFC 2449 8.1: the maildrop is in use, by sessions of this user; or it is too early.
    return error(cat({too_soon ? "-ERR [LOGIN-DELAY] " : "-ERR [IN-USE] ", text}));
}

LoginAction LoginSession::on_no_worker() {
    return answer("-ERR [SYS/TEMP] Internal error, try again later.", LoginAction::Then::close);
}

}  // namespace postern::pop3
