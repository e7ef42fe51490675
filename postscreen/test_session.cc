#include "postscreen/test_session.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"

namespace postern::postscreen {
namespace {

constexpr std::size_t kTextShown = 100;

constexpr std::string_view kKnown[] = {"HELO", "EHLO", "XCLIENT", "XFORWARD", "AUTH",
                                       "MAIL", "RCPT", "DATA",    "BDAT",     "RSET",
                                       "NOOP", "VRFY", "ETRN",    "QUIT",     "STARTTLS"};

// "FROM:<a@b> SIZE=1" -> "a@b"; nothing without the word or an address.
std::optional<std::string> path_of(std::string_view rest, std::string_view word) {
    if (!istarts_with(rest, word)) return std::nullopt;
    rest = trim(rest.substr(word.size()));
    if (!rest.starts_with('<')) return std::string(rest.substr(0, rest.find(' ')));
    const auto close = rest.find('>');
    if (close == std::string_view::npos) return std::nullopt;
    return std::string(rest.substr(1, close - 1));
}

}  // namespace

TestSession::TestSession(const Options& options, std::string client, std::array<bool, kTests> todo,
                         std::vector<std::string> hidden)
    : options_(options), client_(std::move(client)), todo_(todo), hidden_(std::move(hidden)) {}

std::string TestSession::greeting() const { return cat({"220 ", options_.smtpd_banner, "\r\n"}); }

std::vector<std::string> TestSession::take_log() { return std::exchange(log_, {}); }

// Header fields that come as commands are the mark of an HTTP or mail proxy that is abused.
bool TestSession::is_forbidden(std::string_view verb, std::string_view line) const {
    const auto& words = options_.forbidden_commands;
    if (std::find(words.begin(), words.end(), verb) != words.end()) return true;
    const auto colon = line.find(':');
    return colon != 0 && colon != std::string_view::npos &&
           line.substr(0, colon).find_first_of(" \t") == std::string_view::npos;
}

TestSession::Step TestSession::violation(Trial test, const ScreenTest& rule, std::string_view what,
                                         std::string_view text) {
    tell(cat({what, " from ", client_, " after ", last_, text.empty() ? "" : ": ",
              printable(text, kTextShown)}));
    todo_[static_cast<std::size_t>(test)] = false;
    failed_ = true;
    const bool rude = test == Trial::non_smtp;
    if (rule.action == Action::drop)
        return {rude ? "521 5.7.0 Error: I can break rules, too. Goodbye.\r\n"
                     : "521 5.5.1 Protocol error\r\n",
                true};
    if (rule.action == Action::enforce) rcpt_reply_ = "550 5.5.1 Protocol error";
    return {};
}

TestSession::Step TestSession::on_line(std::string_view line, bool crlf, std::string_view behind) {
    if (++commands_ > options_.command_limit) {
        tell(cat({"COMMAND COUNT LIMIT from ", client_, " after ", last_}));
        return {cat({"421 4.7.0 ", options_.hostname, " Error: too many commands\r\n"}), true};
    }
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    const std::string verb = to_upper(word);
    const std::string_view rest = trim(line.substr(word.size()));
    if (!crlf && wants(Trial::bare_newline)) {
        Step step = violation(Trial::bare_newline, options_.bare_newline, "BARE NEWLINE", {});
        if (step.close) return step;
    }
    const bool known = std::find(std::begin(kKnown), std::end(kKnown), verb) != std::end(kKnown);
    if (!known && wants(Trial::non_smtp) && is_forbidden(verb, line)) {
        Step step = violation(Trial::non_smtp, options_.non_smtp, "NON-SMTP COMMAND", line);
        if (step.close) return step;
    }
    if (!behind.empty() && wants(Trial::pipelining)) {
        // PIPELINING is not offered to such a client (RFC 2920 3.1).
        last_ = verb;
        Step step = violation(Trial::pipelining, options_.pipelining, "COMMAND PIPELINING", behind);
        if (step.close) return step;
    }
    Step step = command(verb, rest);
    last_ = known ? verb : "UNIMPLEMENTED";
    return step;
}

TestSession::Step TestSession::on_long_line() {
    tell(cat({"COMMAND LENGTH LIMIT from ", client_, " after ", last_}));
    return {cat({"421 4.7.0 ", options_.hostname, " Error: command too long\r\n"}), true};
}

TestSession::Step TestSession::on_silence() {
    tell(cat({"COMMAND TIME LIMIT from ", client_, " after ", last_}));
    return {cat({"421 4.4.2 ", options_.hostname, " Error: timeout exceeded\r\n"}), true};
}

std::string TestSession::extensions() const {
    std::vector<std::string> all = {cat({"SIZE ", std::to_string(options_.message_size_limit)})};
    if (!wants(Trial::pipelining)) all.insert(all.begin(), "PIPELINING");
    if (!options_.no_vrfy) all.emplace_back("VRFY");
    all.emplace_back("ETRN");
    if (options_.offers_tls && !secured_) all.emplace_back("STARTTLS");
    all.insert(all.end(), {"ENHANCEDSTATUSCODES", "8BITMIME", "DSN"});
    std::erase_if(all, [&](const std::string& line) {
        const auto keyword = line.substr(0, line.find(' '));
        return std::find(hidden_.begin(), hidden_.end(), keyword) != hidden_.end();
    });
    std::string out = all.empty() ? "250 " : "250-";
    out += options_.hostname + "\r\n";
    for (std::size_t i = 0; i < all.size(); ++i)
        out += cat({i + 1 < all.size() ? "250-" : "250 ", all[i], "\r\n"});
    return out;
}

TestSession::Step TestSession::command(std::string_view verb, std::string_view rest) {
    if (verb == "HELO" || verb == "EHLO") {
        if (rest.empty()) return {cat({"501 Syntax: ", verb, " hostname\r\n"})};
        helo_ = rest;
        mail_ = false;
        protocol_ = verb == "EHLO" ? "ESMTP" : "SMTP";
        return verb == "EHLO" ? Step{extensions()} : Step{cat({"250 ", options_.hostname, "\r\n"})};
    }
    if (verb == "QUIT") {
        through_ = true;
        return {"221 2.0.0 Bye\r\n", true};
    }
    if (verb == "STARTTLS") return start_tls(rest);
    if (verb == "NOOP") return {"250 2.0.0 Ok\r\n"};
    // RFC 3207 4
    if (options_.tls_required && !secured_)
        return {"530 5.7.0 Must issue a STARTTLS command first\r\n"};
    if (verb == "MAIL") return mail(rest);
    if (verb == "RCPT") return rcpt(rest);
    if (verb == "RSET") {
        mail_ = false;
        return {"250 2.0.0 Ok\r\n"};
    }
    if (verb == "VRFY")
        return {options_.no_vrfy ? "502 5.5.1 VRFY command is disabled\r\n" : "252 2.0.0 Ok\r\n"};
    if (verb == "ETRN") return {"458 4.3.0 Unable to queue messages\r\n"};
    if (verb == "DATA" || verb == "BDAT")
        return {mail_ ? "554 5.5.1 Error: no valid recipients\r\n"
                      : "503 5.5.1 Error: need RCPT command\r\n"};
    if (verb == "AUTH") return {"503 5.5.1 Error: authentication not enabled\r\n"};
    return {"502 5.5.2 Error: command not recognized\r\n"};
}

TestSession::Step TestSession::start_tls(std::string_view rest) const {
    if (!options_.offers_tls) return {"502 5.5.1 Error: command not implemented\r\n"};
    if (secured_) return {"554 5.5.1 Error: TLS already active\r\n"};
    if (!rest.empty()) return {"501 5.5.4 Syntax: STARTTLS\r\n"};
    return {"220 2.0.0 Ready to start TLS\r\n", false, true};
}

void TestSession::on_tls() {
    secured_ = true;
    mail_ = false;
    helo_.clear();
    sender_.clear();
    recipient_.clear();
    protocol_ = "SMTP";
}

TestSession::Step TestSession::mail(std::string_view rest) {
    if (helo_.empty() && options_.helo_required)
        return {"503 5.5.1 Error: send HELO/EHLO first\r\n"};
    if (mail_) return {"503 5.5.1 Error: nested MAIL command\r\n"};
    const auto sender = path_of(rest, "FROM:");
    if (!sender) return {"501 5.5.4 Syntax: MAIL FROM:<address>\r\n"};
    sender_ = *sender;
    mail_ = true;
    return {"250 2.1.0 Ok\r\n"};
}

TestSession::Step TestSession::rcpt(std::string_view rest) {
    if (!mail_) return {"503 5.5.1 Error: need MAIL command\r\n"};
    const auto recipient = path_of(rest, "TO:");
    if (!recipient || recipient->empty()) return {"501 5.5.4 Syntax: RCPT TO:<address>\r\n"};
    through_ = true;
    recipient_ = *recipient;
    tell(printable(
        cat({"NOQUEUE: reject: RCPT from ", client_, ": ", rcpt_reply_, "; from=<", sender_,
             ">, to=<", *recipient, ">, proto=", protocol_, ", helo=<", helo_, ">"})));
    return {rcpt_reply_ + "\r\n"};
}

}  // namespace postern::postscreen
