// The server engine, see server_session.h. Each command becomes one action; what waits for an
// answer is remembered in pending_ and finished by the matching on_...() call.
#include "lib/smtp/server_session.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/date_time.h"
#include "lib/base/encode.h"
#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"

namespace postern::smtp {
namespace {

constexpr std::size_t kMaxHelo = 255;
constexpr std::string_view kUserChallenge = "334 VXNlcm5hbWU6\r\n";      // "Username:"
constexpr std::string_view kPasswordChallenge = "334 UGFzc3dvcmQ6\r\n";  // "Password:"

// What a client may say before TLS where TLS is required, RFC 3207 4.
bool allowed_in_plaintext(Verb verb) {
    switch (verb) {
        case Verb::helo:
        case Verb::ehlo:
        case Verb::xclient:
        case Verb::xforward:
        case Verb::starttls:
        case Verb::noop:
        case Verb::help:
        case Verb::quit: return true;
        default: return false;
    }
}

bool is_host(std::string_view name) {
    if (!name.starts_with('[')) return mail::is_host_name(name);
    if (!name.ends_with(']')) return false;
    auto inner = name.substr(1, name.size() - 2);
    if (istarts_with(inner, "ipv6:")) inner.remove_prefix(5);
    return IpAddress::parse(inner).has_value();
}

void wipe(std::string& secret) {
    std::fill(secret.begin(), secret.end(), '\0');
    secret.clear();
}

}  // namespace

ServerSession::ServerSession(const ServerOptions& options) : options_(options) {
    rules_.ask_early = options.ask_early;
    if (!options.auth_relayed) plain_mechanisms_ = secured_mechanisms_ = "PLAIN LOGIN";
}

// --- Replies ---

void ServerSession::count(bool good) {
    if (!counting_) return;
    counting_ = false;
    auto& counter = counts_[static_cast<std::size_t>(verb_)];
    ++counter.all;
    if (good) ++counter.good;
}

Action ServerSession::reply(int code, std::string_view status, std::string_view text, bool log) {
    count(code < 400);
    if (code >= 400) ++errors_;
    const bool has_status = !status.empty();
    std::string line =
        cat({std::to_string(code), " ", status, has_status ? " " : "", text, "\r\n"});
    if (options_.soft_bounce && code >= 500) {
        line[0] = '4';
        if (status.starts_with('5')) line[4] = '4';
    }
    if (code == 421 || code == 521) return Close{std::move(line), log};
    return Say{std::move(line), log};
}

Action ServerSession::multiline(std::vector<std::string> lines) {
    count(true);
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        text += cat({i + 1 < lines.size() ? "250-" : "250 ", lines[i], "\r\n"});
    }
    return Say{std::move(text)};
}

Action ServerSession::refuse(const Answer& answer) {
    auto action = reply(answer.code, answer.status, answer.text, true);
    if (!answer.disconnect || std::holds_alternative<Close>(action)) return action;
    return Close{std::move(std::get<Say>(action).text), true};
}

Action ServerSession::ask(Stage stage, Pending pending) {
    pending_ = pending;
    return Ask{stage};
}

void ServerSession::junk() {
    if (++junk_ > options_.junk_command_limit) ++errors_;
}

void ServerSession::reset() {
    envelope_ = Envelope();
    forwarded_.reset();
    overshoot_ = 0;
}

// Ends the transaction; the sender stays known for the log line about it.
void ServerSession::close_envelope() {
    envelope_.open = false;
    envelope_.recipients.clear();
    forwarded_.reset();
    overshoot_ = 0;
}

// --- The session ---

Action ServerSession::greet() {
    if (rules_.ask_early) return ask(Stage::connect, Pending::greeting);
    return reply(220, "", options_.banner);
}

Action ServerSession::on_line(std::string_view line, bool proper) {
    POSTERN_CHECK(pending_ == Pending::none);
    (proper ? saw_crlf_ : saw_bare_newline_) = true;
    if (!proper && rules_.refuses_bare_newlines) return Close{bare_newline_reply(), true};
    if (in_auth()) return auth_line(line);
    const auto command = parse_command(line);
    verb_ = command.verb;
    counting_ = true;
    if (command.word.empty()) {
        where_ = "UNKNOWN";
        return reply(500, "5.5.2", "Error: bad syntax");
    }
    where_ = verb_name(verb_);
    if (options_.smtputf8 && !is_utf8(line)) return reply(500, "5.5.2", "Error: bad UTF-8 syntax");
    return dispatch(command);
}

Action ServerSession::on_long_line() {
    if (in_auth()) {
        auth_step_ = AuthStep::none;
        return reply(500, "5.5.6", "Authentication exchange line is too long");  // RFC 4954 4
    }
    verb_ = Verb::unknown;
    where_ = "UNKNOWN";
    counting_ = true;
    return reply(500, "5.5.2", "Error: line too long");  // RFC 5321 4.5.3.1.9
}

Action ServerSession::dispatch(const Command& command) {
    for (const auto& noop : options_.noop_commands) {
        if (!iequals(command.word, noop)) continue;
        junk();
        return reply(250, "2.0.0", "Ok");
    }
    if (verb_ == Verb::unknown) {
        for (const auto& forbidden : options_.forbidden_commands) {
            if (!iequals(command.word, forbidden)) continue;
            count(false);
            return Close{"221 2.7.0 Error: I can break rules, too. Goodbye.\r\n", true};
        }
        return reply(500, "5.5.2", "Error: command not recognized");
    }
    if (refused_all_ && verb_ != Verb::quit) return reply(503, "5.5.1", "Error: access denied");
    if (options_.tls_required && !secured_ && !allowed_in_plaintext(verb_)) {
        return reply(530, "5.7.0", "Must issue a STARTTLS command first");
    }
    switch (verb_) {
        case Verb::helo:
        case Verb::ehlo: return do_helo(command);
        case Verb::xclient: return do_xclient(command.argument);
        case Verb::xforward: return do_xforward(command.argument);
        case Verb::mail: return do_mail(command.argument);
        case Verb::rcpt: return do_rcpt(command.argument);
        case Verb::data: return do_data(command.argument);
        case Verb::auth: return do_auth(command.argument);
        case Verb::starttls: return do_starttls(command.argument);
        case Verb::vrfy: return do_vrfy(command.argument);
        case Verb::etrn: return do_etrn(command.argument);
        default: return do_simple(command);
    }
}

Action ServerSession::do_simple(const Command& command) {
    switch (verb_) {
        case Verb::quit:
            count(true);  // whatever stands behind it: who wants to go may go
            return Close{"221 2.0.0 Bye\r\n"};
        case Verb::rset:
            if (!command.argument.empty()) return reply(501, "5.5.4", "Syntax: RSET");
            junk();
            reset();
            return reply(250, "2.0.0", "Ok");
        case Verb::noop: junk(); return reply(250, "2.0.0", "Ok");
        case Verb::help:
            junk();
            return reply(214, "2.0.0",
                         "HELO EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY ETRN QUIT HELP");
        default: return reply(500, "5.5.2", "Error: command not recognized");
    }
}

// --- HELO, EHLO ---

Action ServerSession::do_helo(const Command& command) {
    const bool esmtp = verb_ == Verb::ehlo;
    if (command.argument.empty()) {
        return reply(501, "", esmtp ? "Syntax: EHLO hostname" : "Syntax: HELO hostname");
    }
    reset();  // RFC 5321 4.1.4
    asked_helo_ = printable(command.argument, kMaxHelo);
    asked_esmtp_ = esmtp;
    if (rules_.ask_early) return ask(Stage::helo, Pending::helo);
    return accept_helo();
}

Action ServerSession::accept_helo() {
    helo_ = std::move(asked_helo_);
    esmtp_ = asked_esmtp_;
    if (!esmtp_) return reply(250, "", options_.hostname);
    return multiline(ehlo_lines());
}

bool ServerSession::hides(std::string_view keyword) const {
    const auto& all = rules_.hidden_keywords ? *rules_.hidden_keywords : options_.hidden_keywords;
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& hidden) { return iequals(hidden, keyword); });
}

std::vector<std::string> ServerSession::ehlo_lines() const {
    std::vector<std::string> lines = {options_.hostname};
    auto offer = [&](std::string_view keyword, std::string_view argument = {}) {
        if (!hides(keyword)) lines.push_back(cat({keyword, argument.empty() ? "" : " ", argument}));
    };
    offer("PIPELINING");
    offer("SIZE", options_.size_limit > 0 ? std::to_string(options_.size_limit) : std::string());
    if (options_.vrfy_enabled) offer("VRFY");
    offer("ETRN");
    if (options_.tls_available && !secured_) offer("STARTTLS");
    if (auth_offered()) offer("AUTH", mechanisms());
    if (auth_offered() && options_.auth_for_broken_clients && !hides("AUTH")) {
        lines.push_back(cat({"AUTH=", mechanisms()}));
    }
    if (rules_.may_verp) offer("XVERP");
    if (rules_.xclient) offer("XCLIENT", kXclientAttributes);
    if (rules_.xforward) offer("XFORWARD", kXforwardAttributes);
    offer("ENHANCEDSTATUSCODES");
    offer("8BITMIME");
    if (options_.dsn) offer("DSN");
    if (options_.smtputf8) offer("SMTPUTF8");        // RFC 6531 3.1
    if (options_.mt_priority) offer("MT-PRIORITY");  // RFC 6710 3
    if (options_.future_release_limit > Seconds{0}) {
        // RFC 4865 3: the longest time, and what that comes to now.
        const auto limit = options_.future_release_limit;
        offer("FUTURERELEASE",
              cat({std::to_string(limit.count()), " ", format_date_time(now() + limit)}));
    }
    return lines;
}

// --- MAIL, RCPT, VRFY ---

Action ServerSession::do_mail(std::string_view argument) {
    if (helo_.empty() && options_.helo_required)
        return reply(503, "5.5.1", "Error: send HELO/EHLO first");
    if (envelope_.open) return reply(503, "5.5.1", "Error: nested MAIL command");
    auto parsed = parse_mail(argument, extensions());
    if (const auto* error = std::get_if<ArgumentError>(&parsed)) {
        return reply(error->code, error->status, error->text);
    }
    asked_mail_ = std::move(std::get<MailArguments>(parsed));
    if (options_.size_limit > 0 && asked_mail_.size > options_.size_limit) {
        return reply(552, "5.3.4", "Message size exceeds fixed limit", true);  // RFC 1870 6.1
    }
    // The question and its log line name the new sender already.
    envelope_.mail = asked_mail_;
    envelope_.sender = asked_mail_.sender.str();
    if (auto refused = grant_hold()) return std::move(*refused);
    // RFC 6710 4.1: only whom we trust may have his mail preferred.
    envelope_.priority = asked_mail_.priority.value_or(0);
    if (!privileged()) envelope_.priority = std::min(envelope_.priority, 0);
    if (options_.room_for && !options_.room_for(asked_mail_.size))
        return reply(452, "4.3.1", "Insufficient system storage", true);
    if (rules_.ask_early) return ask(Stage::mail, Pending::mail);
    return accept_mail();
}

// RFC 4865 4: neither for strangers nor for longer than was said in answer to EHLO.
std::optional<Action> ServerSession::grant_hold() {
    const auto& mail = asked_mail_;
    if (!mail.hold_for && !mail.hold_until) return std::nullopt;
    if (!privileged())
        return reply(530, "5.7.0", "Authentication required for future release", true);
    const WallTime present = now();
    const WallTime release = mail.hold_for ? present + *mail.hold_for : *mail.hold_until;
    if (release > present + options_.future_release_limit)
        return reply(501, "5.5.4", "Future release is too far away", true);
    if (release > present) envelope_.release = release;
    return std::nullopt;
}

Action ServerSession::accept_mail() {
    envelope_.open = true;
    const auto& asked = envelope_.mail.priority;
    if (asked && *asked != envelope_.priority)  // RFC 6710 4.1
        return reply(
            250, "2.3.6",
            cat({std::to_string(envelope_.priority), " is the new priority of the message"}));
    return reply(250, "2.1.0", "Ok");
}

Action ServerSession::do_rcpt(std::string_view argument) {
    if (!envelope_.open) return reply(503, "5.5.1", "Error: need MAIL command");
    Offered offered = extensions();
    offered.smtputf8 = envelope_.mail.smtputf8;
    auto parsed = parse_rcpt(argument, offered);
    if (const auto* error = std::get_if<ArgumentError>(&parsed)) {
        return reply(error->code, error->status, error->text);
    }
    if (envelope_.recipients.size() >= options_.recipient_limit) {
        // Not an error of the client: it may send the rest in another transaction.
        auto action = reply(452, "4.5.3", "Error: too many recipients");
        if (++overshoot_ <= options_.recipient_overshoot) --errors_;
        return action;
    }
    auto& rcpt = std::get<RcptArguments>(parsed);
    asked_ = {rcpt.recipient.str(), rcpt.notify, std::move(rcpt.orcpt)};
    return ask(Stage::rcpt, Pending::rcpt);
}

Action ServerSession::accept_rcpt() {
    envelope_.recipients.push_back(std::move(asked_));
    asked_ = {};
    return reply(250, "2.1.5", "Ok");
}

Action ServerSession::do_vrfy(std::string_view argument) {
    junk();
    if (!options_.vrfy_enabled) return reply(502, "5.5.1", "VRFY command is disabled");
    if (argument.empty()) return reply(501, "5.5.4", "Syntax: VRFY address");
    auto parsed = parse_vrfy(argument, extensions());
    if (const auto* error = std::get_if<ArgumentError>(&parsed)) {
        return reply(error->code, error->status, error->text);
    }
    asked_ = {std::get<mail::Address>(parsed).str(), 0, {}};
    return ask(Stage::vrfy, Pending::vrfy);
}

// RFC 1985. Postfix puts no enhanced status codes here.
Action ServerSession::do_etrn(std::string_view argument) {
    junk();
    if (helo_.empty() && options_.helo_required)
        return reply(503, "", "Error: send HELO/EHLO first");
    if (envelope_.open) return reply(503, "", "Error: MAIL transaction in progress");
    if (split_words(argument, " \t").size() != 1) return reply(500, "", "Syntax: ETRN domain");
    if (argument[0] == '@' || argument[0] == '#') argument.remove_prefix(1);  // RFC 1985 5.3
    if (!is_host(argument)) return reply(501, "", "Error: invalid parameter syntax");
    asked_ = {std::string(argument), 0, {}};
    return ask(Stage::etrn, Pending::etrn);
}

Action ServerSession::on_flushed(Flushed result) {
    switch (result) {
        case Flushed::begun: return reply(250, "", "Queuing started");
        case Flushed::not_served:
            return reply(459, "", cat({"<", asked_.address, ">: service unavailable"}));
        case Flushed::failed: break;
    }
    return reply(458, "", "Unable to queue messages");
}

// --- DATA ---

Action ServerSession::do_data(std::string_view argument) {
    if (envelope_.recipients.empty()) {
        return envelope_.open ? reply(554, "5.5.1", "Error: no valid recipients")
                              : reply(503, "5.5.1", "Error: need RCPT command");
    }
    if (!argument.empty()) return reply(501, "5.5.4", "Syntax: DATA");
    if (options_.ask_data) return ask(Stage::data, Pending::data);
    return Open{};
}

Action ServerSession::on_opened(const Answer& answer) {
    if (answer.accepted) return ReadData{"354 End data with <CR><LF>.<CR><LF>\r\n"};
    close_envelope();
    return refuse(answer);
}

Action ServerSession::on_content(ContentEnd end, std::uint64_t size) {
    envelope_.mail.size = size;
    where_ = "END-OF-MESSAGE";
    switch (end) {
        case ContentEnd::complete: break;
        case ContentEnd::too_big:
            close_envelope();
            return reply(552, "5.3.4", "Error: message file too big", true);
        case ContentEnd::pipe_broken:
            return on_committed(Answer::refuse(451, "4.3.0", "Error: queue file write error"), {});
        case ContentEnd::bare_lf:
            close_envelope();
            count(false);
            ++errors_;
            if (options_.bare_newline_code == 521) return Close{bare_newline_reply(), true};
            return Say{bare_newline_reply(), true};
    }
    if (options_.ask_end_of_data) return ask(Stage::end_of_data, Pending::end_of_data);
    return Commit{};
}

Action ServerSession::on_committed(const Answer& answer, std::string_view queue_id) {
    close_envelope();
    if (!answer.accepted) return refuse(answer);
    junk_ = errors_ = 0;
    if (answer.told) return reply(answer.code, answer.status, answer.text);
    return reply(250, "2.0.0", cat({"Ok: queued as ", queue_id}));
}

// --- Answers of policy ---

Action ServerSession::on_answer(const Answer& answer) {
    const auto pending = std::exchange(pending_, Pending::none);
    if (answer.accepted) {
        switch (pending) {
            case Pending::greeting: return reply(220, "", options_.banner);
            case Pending::helo: return accept_helo();
            case Pending::mail: return accept_mail();
            case Pending::rcpt: return accept_rcpt();
            case Pending::data: return Open{};
            case Pending::end_of_data: return Commit{};
            case Pending::vrfy: return reply(252, "2.0.0", asked_.address);
            case Pending::etrn: return Flush{asked_.address};
            case Pending::none: break;
        }
        POSTERN_CHECK(false);
    }
    if (pending == Pending::greeting) {
        // RFC 5321 3.1: 554 instead of a greeting; the client may then only say QUIT.
        refused_all_ = true;
        where_ = "CONNECT";
    }
    if (pending == Pending::end_of_data) return on_committed(answer, {});
    if (pending == Pending::data) close_envelope();
    return refuse(answer);
}

// --- STARTTLS ---

Action ServerSession::do_starttls(std::string_view argument) {
    if (!argument.empty()) return reply(501, "5.5.4", "Syntax: STARTTLS");
    if (secured_) return reply(554, "5.5.1", "Error: TLS already active");
    if (!options_.tls_available || hides("STARTTLS"))
        return reply(502, "5.5.1", "Error: command not implemented");
    count(true);
    return StartTls{"220 2.0.0 Ready to start TLS\r\n"};
}

void ServerSession::on_tls() {
    secured_ = true;
    reset();
    helo_.clear();
    esmtp_ = false;
    user_.clear();
    auth_method_.clear();
}

// --- AUTH (RFC 4954) ---

Action ServerSession::do_auth(std::string_view argument) {
    if (helo_.empty()) return reply(503, "5.5.1", "Error: send HELO/EHLO first");
    if (!options_.auth_enabled || hides("AUTH"))
        return reply(503, "5.5.1", "Error: authentication not enabled");
    if (envelope_.open) return reply(503, "5.5.1", "Error: MAIL transaction in progress");
    if (!user_.empty()) return reply(503, "5.5.1", "Error: already authenticated");
    if (!auth_offered()) {
        return reply(538, "5.7.11", "Encryption required for requested authentication mechanism");
    }
    const auto words = split_words(argument, " ");
    if (words.empty() || words.size() > 2) return reply(501, "5.5.4", "Syntax: AUTH mechanism");
    auth_method_ = to_upper(printable(words[0], 20));
    const std::string_view initial = words.size() == 2 ? words[1] : std::string_view();
    const auto offered = split_words(mechanisms(), " ");
    if (std::find(offered.begin(), offered.end(), auth_method_) == offered.end()) {
        auth_method_.clear();
        return reply(535, "5.7.8",
                     "Error: authentication failed: Invalid authentication mechanism");
    }
    if (!options_.auth_relayed && auth_method_ == "PLAIN") {
        auth_step_ = AuthStep::plain;
        return initial.empty() ? Action(Say{"334 \r\n"}) : auth_line(initial == "=" ? "" : initial);
    }
    if (!options_.auth_relayed && auth_method_ == "LOGIN") {
        auth_step_ = AuthStep::login_user;
        return initial.empty() ? Action(Say{std::string(kUserChallenge)}) : auth_line(initial);
    }
    return relay_auth(initial);
}

// Whatever the mechanism says is carried to others; only its form is looked at.
Action ServerSession::relay_auth(std::string_view initial) {
    const bool has_response = !initial.empty();
    if (initial == "=") initial = {};  // RFC 4954 4: there is one, and it is empty
    if (!initial.empty() && !base64_decode(initial))
        return reply(501, "5.5.2", "Error: cannot decode response");
    return Authenticate{auth_method_, std::string(initial), true, has_response, false};
}

Action ServerSession::auth_line(std::string_view line) {
    where_ = "AUTH";
    const auto step = std::exchange(auth_step_, AuthStep::none);
    if (line == "*") return reply(501, "5.7.0", "Authentication aborted");
    auto decoded = base64_decode(line);
    if (!decoded) return reply(501, "5.5.2", "Error: cannot decode response");
    if (step == AuthStep::relayed) {
        wipe(*decoded);
        return Authenticate{auth_method_, std::string(line), true, true, true};
    }
    if (step == AuthStep::plain) return finish_auth(std::move(*decoded));
    if (step == AuthStep::login_user) {
        login_user_ = std::move(*decoded);
        auth_step_ = AuthStep::login_password;
        return Say{std::string(kPasswordChallenge)};
    }
    std::string response =
        cat({std::string_view("\0", 1), login_user_, std::string_view("\0", 1), *decoded});
    wipe(*decoded);
    wipe(login_user_);
    return finish_auth(std::move(response));
}

Action ServerSession::finish_auth(std::string response) {
    // RFC 4616 2: two NULs part three fields, and a user has a name.
    const auto nuls = std::count(response.begin(), response.end(), '\0');
    if (nuls != 2) {
        wipe(response);
        return reply(501, "5.5.2", "Error: cannot decode response");
    }
    return Authenticate{auth_method_, std::move(response)};
}

Action ServerSession::on_auth(const AuthResult& result) {
    switch (result.kind) {
        case AuthResult::Kind::success:
            user_ = result.user;
            return reply(235, "2.7.0", "Authentication successful");
        case AuthResult::Kind::failure:
            return reply(535, "5.7.8",
                         cat({"Error: authentication failed: ",
                              result.text.empty() ? "authentication failure" : result.text}));
        case AuthResult::Kind::challenge:
            auth_step_ = AuthStep::relayed;
            return Say{cat({"334 ", result.text, "\r\n"})};
        case AuthResult::Kind::temporary: break;
    }
    return reply(454, "4.7.0", "Temporary authentication failure");
}

// --- Ends ---

Action ServerSession::on_too_many_errors() {
    return Close{cat({"421 4.7.0 ", options_.hostname, " Error: too many errors\r\n"})};
}

Action ServerSession::on_timeout() {
    return Close{cat({"421 4.4.2 ", options_.hostname, " Error: timeout exceeded\r\n"})};
}

Action ServerSession::on_drain() {
    return Close{cat({"421 4.3.2 ", options_.hostname, " Service shutting down\r\n"})};
}

}  // namespace postern::smtp
