// The parts of the driver that depend on who the client is: its rights, its limits, XCLIENT, and
// what tables of policy say about its lines and our refusals. See session_driver.h.
#include <algorithm>
#include <utility>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"
#include "lib/config/reply_footer.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"
#include "lib/service/client_networks.h"
#include "lib/smtp/reply_footer.h"

#include "smtpd/session_driver.h"

namespace postern::smtpd {
namespace {

// What a kind of event is called in the log, what the client hears, and its limit.
struct Rule {
    ipc::AnvilEvent event;
    std::string_view name;   // "NAME rate limit exceeded"
    std::string_view reply;  // behind the code and "Error: "
    std::size_t limit = 0;
    int code = 450;
    std::string_view status = "4.7.1";
};

Rule limit_rule(smtp::Limited what, const Options::Limits& limits) {
    switch (what) {
        case smtp::Limited::mail:
            return {ipc::AnvilEvent::mail, "Message delivery request", "too much mail",
                    limits.messages};
        case smtp::Limited::rcpt:
            return {ipc::AnvilEvent::rcpt, "Recipient address", "too many recipients",
                    limits.recipients};
        case smtp::Limited::auth:
            return {ipc::AnvilEvent::auth, "AUTH command", "too many AUTH commands", limits.auth};
        case smtp::Limited::starttls:
            return {ipc::AnvilEvent::tls_status,
                    "New TLS session",
                    "too many new TLS sessions",
                    limits.tls_sessions,
                    454,
                    "4.7.0"};
        case smtp::Limited::none: break;
    }
    return {ipc::AnvilEvent::tls_status, "", ""};
}

}  // namespace

// --- Who is this? ---

// Policy is asked only where main.cf wants something that smtpd cannot know.
void SessionDriver::know_client() {
    if (over_ || closing_) return;
    const auto& options = shared_.options;
    announce();
    limit_client_ = options.limits.range_of(address_);
    unlimited_ = options.limits.excepts(address_);
    if (!options.ask_client) return apply_rules({});
    waiting_ = Waiting::rights;
    shared_.policy.call<ipc::ClientTraits>(
        ipc::ClientQuestion{options.service, address_,
                            client_name_ == "unknown" ? "" : client_name_},
        options.ask_timeout,
        [weak = weak_from_this()](Result<ipc::ClientTraits> traits) {
            const auto self = weak.lock();
            if (!self || self->over_ || self->closing_) return;
            self->waiting_ = Waiting::nothing;
            if (traits && !traits->failed) return self->apply_rules(*traits);
            if (!traits) log::warning("", traits.error().what);
            self->perform(smtp::Close{cat({"421 4.3.0 ", self->shared_.options.engine.hostname,
                                           " Server local data error\r\n"})});
        },
        id_.str());
}

void SessionDriver::apply_rules(const ipc::ClientTraits& traits) {
    const auto& options = shared_.options;
    unlimited_ = unlimited_ || traits.unlimited || traits.may_xclient;
    debug_ = traits.debug && options.debug_level > 0;
    rewrites_headers_ = traits.rewrites_headers;
    smtp::ClientRules rules;
    rules.xclient = traits.may_xclient;
    rules.xforward = traits.may_xforward;
    rules.ask_early = options.engine.ask_early;
    const auto ip = IpAddress::parse(address_);
    const auto in = [&ip](const std::vector<IpNetwork>& networks) {
        return ip && service::is_in(networks, *ip);
    };
    rules.privileged = in(options.privileged_clients);
    rules.may_omit_cr = options.all_may_omit_cr || traits.may_omit_cr || in(options.omitting_cr);
    rules.may_verp = traits.may_verp || in(options.verp_clients);
    rules.refuses_bare_newlines = options.refuse_bare_newlines && !rules.may_omit_cr;
    if (traits.hides_keywords) {
        rules.hidden_keywords.emplace();
        for (const auto word : split_words(traits.hidden_keywords, ", \t\r\n"))
            rules.hidden_keywords->push_back(to_upper(word));
    }
    session_.set_rules(std::move(rules));
    greet();
}

// A new session for the same connection: the peer says whom it speaks for.
void SessionDriver::run(smtp::Impersonate&& action) {
    const auto& as = action.client;
    const auto port = [](const std::string& text) {
        return parse_number<std::uint16_t>(text).value_or(0);
    };
    if (as.name) client_name_ = *as.name;
    if (as.reverse_name) reverse_name_ = *as.reverse_name;
    if (as.address) address_ = *as.address;
    if (as.port) client_port_ = port(*as.port);
    if (as.server_address) server_address_ = *as.server_address;
    if (as.server_port) server_port_ = port(*as.server_port);
    client_ = client_text();
    milter_link_.reset();
    client_actions_.clear();
    expecting_ = false;
    timer_.stop();
    // Its rights stay those of the connection; only restrictions and milters see somebody else.
    waiting_ = Waiting::nothing;
    perform(session_.greet());
}

std::string SessionDriver::client_text() const {
    std::string text = cat({client_name_, "[", address_, "]"});
    if (shared_.options.log_port) text += ":" + std::to_string(client_port_);
    return text;
}

// Whoever logged in, `postern who` shows, and `postern kick` ends once no command is under way.
void SessionDriver::tell_login() {
    if (session_.user() == facts_.user) return;
    facts_.session = id_;
    facts_.protocol = ipc::AuthProtocol::smtp;
    facts_.state = ipc::SessionState::active;
    facts_.service = shared_.options.service;
    facts_.user = session_.user().substr(0, ipc::kMaxUser);
    facts_.address = address_;
    facts_.client = limit_client_;
    facts_.port = client_port_;
    facts_.security = stream_->secured() ? ipc::SessionSecurity::tls
                      : peer_.ip().is_loopback() ? ipc::SessionSecurity::local
                                                 : ipc::SessionSecurity::none;
    facts_.since = shared_.loop.clock().now();
    shared_.ledger.note(facts_);
}

void SessionDriver::dismiss() {
    dismissed_ = true;
    pump();
}

// --- Limits ---

void SessionDriver::ask_anvil(ipc::AnvilEvent event,
                              std::function<void(const ipc::AnvilAnswer&)> done) {
    waiting_ = Waiting::anvil;
    timer_.stop();
    expecting_ = false;
    shared_.anvil.ask(
        {event, shared_.options.service, limit_client_},
        [weak = weak_from_this(), event, done = std::move(done)](Result<ipc::AnvilAnswer> answer) {
            const auto self = weak.lock();
            if (!self || self->over_ || self->closing_) return;
            if (!answer) log::warning("", answer.error().what);
            if (answer && event == ipc::AnvilEvent::connect)
                self->counted_in_ = self->shared_.anvil.epoch();
            self->waiting_ = Waiting::nothing;
            done(answer ? *answer : ipc::AnvilAnswer{});
            self->pump();
        });
}

void SessionDriver::warn_of_limit(std::string_view what, std::uint32_t number) {
    log::warning("", cat({what, " limit exceeded: ", std::to_string(number), " from ", client_,
                          " for service ", shared_.options.service}));
}

// The last step before the greeting.
void SessionDriver::admit() {
    if (unlimited_ || !shared_.options.limits.any()) return resume(session_.greet());
    ask_anvil(ipc::AnvilEvent::connect, [this](const ipc::AnvilAnswer& answer) {
        const auto& limits = shared_.options.limits;
        const bool many = limits.connections > 0 && answer.count > limits.connections;
        const bool often = limits.connection_rate > 0 && answer.rate > limits.connection_rate;
        if (many) {
            warn_of_limit("Connection concurrency", answer.count);
        } else if (often) {
            warn_of_limit("Connection rate", answer.rate);
        } else {
            return perform(session_.greet());
        }
        perform(smtp::Close{cat({"421 4.7.0 ", shared_.options.engine.hostname,
                                 " Error: too many connections from ", address_, "\r\n"})});
    });
}

// A line that nothing stands against any more but, perhaps, a limit.
void SessionDriver::obey(std::string_view line, bool proper) {
    if (session_.in_auth() || unlimited_ || !shared_.options.limits.any())
        return execute(line, proper);
    const auto what = session_.limited(line);
    const Rule rule = limit_rule(what, shared_.options.limits);
    if (what == smtp::Limited::none || rule.limit == 0) return execute(line, proper);
    ask_anvil(rule.event, [this, rule, what, proper,
                           held = std::string(line)](const ipc::AnvilAnswer& answer) mutable {
        if (answer.rate <= rule.limit) {
            execute(held, proper);
        } else {
            const bool tls = what == smtp::Limited::starttls;
            if (tls) {
                log::warning("", cat({"Refusing STARTTLS request from ", client_, " for service ",
                                      shared_.options.service}));
            } else {
                warn_of_limit(cat({rule.name, " rate"}), answer.rate);
            }
            const std::string& whom = tls ? client_ : address_;
            perform(session_.on_limit(
                held, smtp::Answer::refuse(rule.code, rule.status,
                                           cat({"Error: ", rule.reply, " from ", whom}))));
        }
        crypto::wipe(held);  // it may be an AUTH with its response
    });
}

// After a handshake; `next` goes on with the session.
void SessionDriver::count_tls_session(std::function<void()> next) {
    const auto limit = shared_.options.limits.tls_sessions;
    if (unlimited_ || limit == 0 || tls_.resumed) return next();
    ask_anvil(ipc::AnvilEvent::new_tls, [this, limit,
                                         next = std::move(next)](const ipc::AnvilAnswer& answer) {
        if (answer.rate <= limit) return next();
        warn_of_limit("New TLS session rate", answer.rate);
        perform(smtp::Close{cat({"421 4.7.0 ", shared_.options.engine.hostname,
                                 " Error: too many new TLS sessions from ", client_, "\r\n"})});
    });
}

// --- What is logged, and done, beyond replies ---

// debug_peer_list: the dialogue in the log, as Postfix has it.
void SessionDriver::show(std::string_view direction, std::string_view text) const {
    for (const auto line : split(trim_right(text), '\n'))
        log::info("", cat({direction, " ", client_, ": ", printable(trim_right(line))}));
}

// What policy has to tell, in the words of its lists.
void SessionDriver::tell_notes(const ipc::PolicyAnswer& answer) const {
    constexpr std::string_view kNames[] = {"permit", "reject_warning", "warn", "info"};
    for (const auto& note : answer.notes)
        log::info(queue_id_.empty() ? "NOQUEUE" : trace(),
                  cat({kNames[static_cast<std::size_t>(note.kind)], about_command(note.text)}));
}

// HOLD, REDIRECT and the like, each with its line; the same once more, for the next recipient, is
// the same action.
void SessionDriver::take_actions(smtp::Stage stage, const ipc::PolicyAnswer& answer) {
    constexpr std::string_view kNames[] = {"prepend", "hold",     "discard",
                                           "filter",  "redirect", "bcc"};
    const bool early = stage == smtp::Stage::connect || stage == smtp::Stage::helo;
    auto& all = early                               ? client_actions_
                : stage == smtp::Stage::end_of_data ? late_actions_
                                                    : mail_actions_;
    for (const auto& action : answer.actions) {
        if (!action.why.empty()) {
            log::info(
                queue_id_.empty() ? "NOQUEUE" : trace(),
                cat({kNames[static_cast<std::size_t>(action.kind)], about_command(action.why)}));
        }
        const auto same = [&](const ipc::MailAction& one) {
            return one.kind == action.kind && one.argument == action.argument;
        };
        const bool known = std::any_of(all.begin(), all.end(), same);
        if (answer.outcome == ipc::Outcome::accept && !known && all.size() < ipc::kMaxMailActions)
            all.push_back(action);
    }
}

// --- Tables for lines ---

void SessionDriver::ask_map(ipc::LineMap map, std::string key,
                            std::function<void(const ipc::MapAnswer&)> done) {
    waiting_ = Waiting::line;
    timer_.stop();
    expecting_ = false;
    ipc::MapQuestion question{map, shared_.options.service, std::move(key)};
    if (question.key.size() > ipc::kMaxPath) question.key.resize(ipc::kMaxPath);
    shared_.policy.call<ipc::MapAnswer>(
        question, shared_.options.ask_timeout,
        [weak = weak_from_this(), done = std::move(done)](Result<ipc::MapAnswer> answer) {
            const auto self = weak.lock();
            if (!self || self->over_) return;
            if (!answer) log::warning("", answer.error().what);
            self->waiting_ = Waiting::nothing;
            ipc::MapAnswer none;
            none.failed = true;
            done(answer ? *answer : none);
            self->pump();
        },
        id_.str());
}

// smtpd_command_filter.
void SessionDriver::filter_command(std::string_view line, bool proper) {
    ask_map(ipc::LineMap::command_filter, std::string(trim_left(line)),
            [this, proper, held = std::string(line)](const ipc::MapAnswer& answer) {
                if (answer.failed) {
                    return perform(smtp::Close{cat({"421 4.3.0 ", shared_.options.engine.hostname,
                                                    " Server local data error\r\n"})});
                }
                if (!answer.found) return obey(held, proper);
                log::info("", cat({client_, ": replacing client command \"", printable(held),
                                   "\" with \"", printable(answer.value), "\""}));
                obey(answer.value, proper);
            });
}

// smtpd_reject_footer and its maps: what stands below our refusals.
void SessionDriver::with_footer(std::string reply, std::function<void(std::string)> say) {
    const auto& options = shared_.options;
    const bool refusal = reply.starts_with('4') || reply.starts_with('5');
    if (!refusal || (!options.reject_footer_maps && options.reject_footer.empty()))
        return say(std::move(reply));
    if (!options.reject_footer_maps) return say(footed(reply, options.reject_footer));
    ask_map(ipc::LineMap::reject_footer, std::string(trim_right(reply)),
            [this, reply, say = std::move(say)](const ipc::MapAnswer& answer) {
                const auto& usual = shared_.options.reject_footer;
                say(footed(reply, answer.found ? answer.value : usual));
            });
}

std::string SessionDriver::footed(const std::string& reply, const std::string& footer) const {
    return config::with_footer(reply, footer, shared_.options.expansion,
                               [this](std::string_view name) { return footer_value(name); });
}

std::optional<std::string> SessionDriver::footer_value(std::string_view name) const {
    if (name == "client") return client_;
    if (name == "client_address") return address_;
    if (name == "client_name" || name == "client_hostname") return client_name_;
    if (name == "reverse_client_name") return reverse_name_;
    if (name == "client_port") return std::to_string(client_port_);
    if (name == "server_name" || name == "myhostname") return shared_.options.engine.hostname;
    if (name == "server_address") return server_address_;
    if (name == "server_port") return std::to_string(server_port_);
    if (name == "helo_name") return session_.helo();
    if (name == "sender") return session_.envelope().sender;
    if (name == "recipient") return session_.recipient();
    if (name == "localtime") return format_local_time(shared_.loop.clock().now(), "%b %d %H:%M:%S");
    if (name == "mail_name") return shared_.options.notices.mail_name;
    return std::nullopt;
}

}  // namespace postern::smtpd
