// The parts of the engine that depend on who the client is: limits of its commands, XCLIENT and
// XFORWARD, and what the log says of it all. See server_session.h.
#include "lib/base/strings.h"

#include "lib/smtp/server_session.h"

namespace postern::smtp {

// --- Limits ---

Limited ServerSession::limited(std::string_view line) const {
    if (in_auth() || refused_all_) return Limited::none;
    const auto command = parse_command(line);
    if (command.argument.empty() && command.verb != Verb::starttls) return Limited::none;
    switch (command.verb) {
        case Verb::mail:
            if (envelope_.open || (helo_.empty() && options_.helo_required)) return Limited::none;
            return Limited::mail;
        case Verb::rcpt: return envelope_.open ? Limited::rcpt : Limited::none;
        case Verb::auth: return options_.auth_enabled ? Limited::auth : Limited::none;
        case Verb::starttls:
            return options_.tls_available && !secured_ ? Limited::starttls : Limited::none;
        default: return Limited::none;
    }
}

Action ServerSession::on_limit(std::string_view line, const Answer& refusal) {
    verb_ = parse_command(line).verb;
    counting_ = true;
    where_ = verb_name(verb_);
    return reply(refusal.code, refusal.status, refusal.text);
}

// --- XCLIENT, XFORWARD ---

Action ServerSession::do_xclient(std::string_view argument) {
    if (envelope_.open) return reply(503, "5.5.1", "Error: MAIL transaction in progress");
    if (argument.empty()) return reply(501, "5.5.4", "Syntax: XCLIENT attribute=value...");
    if (!rules_.xclient) return reply(550, "5.7.0", "Error: insufficient authorization");
    auto parsed = parse_xclient(argument);
    if (const auto* error = std::get_if<ArgumentError>(&parsed))
        return reply(error->code, error->status, error->text);
    count(true);
    auto& client = std::get<XclientArguments>(parsed);
    reset();
    refused_all_ = false;
    helo_ = client.helo.value_or(std::string());
    esmtp_ = client.protocol == "ESMTP";
    if (client.login) {
        user_ = *client.login;
        auth_method_ = user_.empty() ? std::string() : "XCLIENT";
    }
    return Impersonate{std::move(client)};
}

Action ServerSession::do_xforward(std::string_view argument) {
    if (envelope_.open) return reply(503, "5.5.1", "Error: MAIL transaction in progress");
    if (argument.empty()) return reply(501, "5.5.4", "Syntax: XFORWARD attribute=value...");
    if (!rules_.xforward) return reply(550, "5.7.0", "Error: insufficient authorization");
    Forwarded known = forwarded_.value_or(Forwarded());
    if (const auto error = parse_xforward(argument, known))
        return reply(error->code, error->status, error->text);
    forwarded_ = std::move(known);
    return reply(250, "2.0.0", "Ok");
}

// --- What it may say ---

Offered ServerSession::extensions() const {
    Offered offered;
    offered.esmtp = esmtp_;
    offered.dsn = options_.dsn && !hides("DSN");
    offered.smtputf8 = options_.smtputf8 && !hides("SMTPUTF8");
    offered.utf8_addresses = options_.smtputf8;
    offered.strict_utf8 = options_.strict_smtputf8;
    offered.auth = options_.auth_enabled;
    offered.mt_priority = options_.mt_priority && !hides("MT-PRIORITY");
    offered.future_release = options_.future_release_limit > Seconds{0} && !hides("FUTURERELEASE");
    offered.verp = rules_.may_verp && !hides("XVERP");
    offered.verp_filter = options_.verp_filter;
    offered.verp_delimiters = options_.verp_delimiters;
    offered.strict_paths = options_.strict_envelopes;
    return offered;
}

std::string ServerSession::bare_newline_reply() const {
    return cat({std::to_string(options_.bare_newline_code), " 5.5.2 ", options_.hostname,
                " Error: bare <LF> received\r\n"});
}

// --- For logs ---

std::string ServerSession::protocol() const {
    if (!esmtp_) return "SMTP";
    return cat({"ESMTP", secured_ ? "S" : "", user_.empty() ? "" : "A"});
}

bool ServerSession::must_not_pipeline() const {
    if (!esmtp_) return true;
    switch (verb_) {
        case Verb::mail:
        case Verb::rcpt:
        case Verb::rset:
        case Verb::quit: return false;
        default: return where_ != "END-OF-MESSAGE";
    }
}

std::string ServerSession::summary() const {
    std::string text;
    Count total;
    auto add = [&](std::string_view name, const Count& counter) {
        if (counter.all == 0) return;
        text += cat({" ", to_lower(name), "=", std::to_string(counter.good)});
        if (counter.good != counter.all) text += "/" + std::to_string(counter.all);
    };
    for (std::size_t i = 0; i < kVerbCount; ++i) {
        add(verb_name(static_cast<Verb>(i)), counts_[i]);
        total.good += counts_[i].good;
        total.all += counts_[i].all;
    }
    if (total.all == 0) return " commands=0/0";
    add("commands", total);
    if (options_.note_bare_newlines && saw_bare_newline_) text += " notes=bare_lf";
    return text;
}

}  // namespace postern::smtp
