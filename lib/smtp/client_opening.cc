// From the greeting to a session that takes mail: EHLO, STARTTLS, AUTH, and servers that must be
// spoken to more simply. See client_session.h.
#include <algorithm>

#include "lib/base/encode.h"
#include "lib/base/strings.h"

#include "lib/smtp/client_session.h"

namespace postern::smtp {
namespace {

// "220 **************": the firewall hides the greeting's words. As Postfix sees it.
bool looks_like_pix(const Reply& greeting) {
    return std::all_of(greeting.lines.begin(), greeting.lines.end(), [](const std::string& line) {
        return line.find_first_not_of("20 *\t") == std::string::npos;
    });
}

bool says_esmtp(const Reply& greeting) {
    return std::any_of(greeting.lines.begin(), greeting.lines.end(), [](const std::string& line) {
        const auto words = split_words(line, "- \t");
        return std::any_of(words.begin(), words.end(),
                           [](std::string_view word) { return iequals(word, "ESMTP"); });
    });
}

}  // namespace

ClientSession::Step ClientSession::on_greeting(const Reply& reply) {
    if (!reply.positive()) return refuse(reply, options_.skip_5xx_greeting);
    behind_pix_ = looks_like_pix(reply);
    // RFC 5321 3.2 wants EHLO always; Postfix can be told to look at the greeting first.
    const bool ehlo = options_.always_ehlo || says_esmtp(reply);
    if (!options_.lmtp &&
        (!ehlo || options_.never_ehlo || (behind_pix_ && options_.pix.disable_esmtp))) {
        send(Verb::helo, {"HELO ", options_.helo_name});
        return Step::wait;
    }
    send_ehlo();
    return Step::wait;
}

ClientSession::Step ClientSession::on_ehlo(const Reply& reply) {
    if (!reply.positive()) {
        // RFC 5321 3.2: a server without extensions gets HELO. After STARTTLS there is no way back.
        if (options_.lmtp || reply.code == 421 || encrypted_) return refuse(reply);
        send(Verb::helo, {"HELO ", options_.helo_name});
        return Step::wait;
    }
    if (greets_as_us(reply)) {
        return fail(Verdict::reject(
            "5.4.6", cat({"mail for ", options_.destination, " loops back to myself"})));
    }
    parse_extensions(reply);
    if (encrypted_ || options_.tls == TlsLevel::none) return opened();
    if (extensions_.starttls) {
        send(Verb::starttls, {"STARTTLS"});
        return Step::wait;
    }
    return opened();
}

ClientSession::Step ClientSession::on_helo(const Reply& reply) {
    if (!reply.positive()) return refuse(reply);
    extensions_ = {};
    return opened();
}

ClientSession::Step ClientSession::on_starttls(const Reply& reply) {
    if (reply.positive()) {
        state_ = State::tls;
        return Step::start_tls;
    }
    if (options_.tls >= TlsLevel::encrypt) {
        return fail(Verdict::defer("4.7.4", cat({"TLS is required, but host ", peer_.with_address(),
                                                 " refused to start TLS: ", reply.text()})),
                    reply.text());
    }
    return opened();
}

// RFC 4954 4: 334 asks for more, 235 is success.
ClientSession::Step ClientSession::on_auth(const Reply& reply) {
    if (reply.code == 235) {
        logged_in_ = true;
        return opened();
    }
    const std::string server = cat({"server ", peer_.with_address()});
    if (!reply.intermediate()) {
        const std::string text =
            cat({"SASL authentication failed; ", server, " said: ", reply.text()});
        std::string status = reply.status;
        if (!reply.permanent() || options_.auth_soft_bounce) status[0] = '4';
        return fail(status[0] == '5' ? Verdict::reject(status, text) : Verdict::defer(status, text),
                    reply.text());
    }
    const std::string_view line = reply.lines.empty() ? std::string_view() : reply.lines.back();
    const auto challenge = base64_decode(trim(line.size() > 4 ? line.substr(4) : ""));
    auto response = challenge
                        ? options_.authenticator->respond(*challenge)
                        : Result<std::string>(Error{Errc::invalid, "bad base64 in challenge"});
    if (!response) {
        return fail(
            Verdict::defer("4.7.0", cat({"SASL authentication failed; cannot authenticate to ",
                                         server, ": ", response.error().what})));
    }
    send(Verb::auth, {base64_encode(*response)});
    return Step::wait;
}

ClientSession::Step ClientSession::opened() {
    if (options_.tls >= TlsLevel::encrypt && !encrypted_) {
        return fail(Verdict::defer(
            "4.7.4", cat({"TLS is required, but was not offered by host ", peer_.with_address()})));
    }
    if (options_.authenticator && !logged_in_ && !extensions_.auth.empty()) return log_in();
    state_ = State::ready;
    return Step::ready;
}

// As Postfix: where there is a password for the server, mail does not go there without logging in.
ClientSession::Step ClientSession::log_in() {
    constexpr std::size_t kMaxCommand = 510;  // RFC 5321 4.5.3.1.4, without CRLF
    std::vector<std::string> offered;
    for (auto word : split_words(extensions_.auth)) offered.emplace_back(word);
    auto mechanism = options_.authenticator->choose(offered, !encrypted_ ? Protection::none
                                                             : verified_ ? Protection::verified
                                                                         : Protection::encrypted);
    if (!mechanism) {
        return fail(Verdict::defer(
            "4.7.0", cat({"SASL authentication failed; cannot authenticate to server ",
                          peer_.with_address(), ": ", mechanism.error().what})));
    }
    std::string command = cat({"AUTH ", *mechanism});
    if (const auto initial = options_.authenticator->initial_response()) {
        // RFC 4954 4: "=" is an empty one.
        command += cat({" ", initial->empty() ? "=" : base64_encode(*initial)});
    }
    if (command.size() > kMaxCommand) {
        return fail(
            Verdict::defer("4.7.0", "SASL authentication failed; user name or password too long"));
    }
    send(Verb::auth, {command});
    return Step::wait;
}

bool ClientSession::greets_as_us(const Reply& reply) const {
    if (options_.own_name.empty() || reply.lines.empty() || reply.lines[0].size() < 5) return false;
    auto words = split_words(std::string_view(reply.lines[0]).substr(4));
    return !words.empty() && iequals(words[0], options_.own_name);
}

}  // namespace postern::smtp
