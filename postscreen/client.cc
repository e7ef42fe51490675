#include "postscreen/client.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"
#include "lib/config/reply_footer.h"
#include "lib/ipc/messages/login.h"
#include "lib/log/log.h"
#include "lib/smtp/reply_footer.h"
#include "lib/sys/socket.h"
#include "lib/sys/unix_socket.h"

namespace postern::postscreen {
namespace {

constexpr std::size_t kLine = 512;  // of a command
constexpr std::size_t kShown = 100;
constexpr Millis kServerPause{100};  // between two attempts to reach smtpd
constexpr int kServerAttempts = 100;
constexpr Millis kFarewell{5000};  // for a client to take our last word

std::size_t index(Trial test) { return static_cast<std::size_t>(test); }

// As Postfix shows them: line ends and the like as \r\n.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, kShown)) {
        if (c == '\r') {
            out += "\\r";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\\') {
            out += "\\\\";
        } else if (is_control(c) || static_cast<unsigned char>(c) >= 127) {
            char code[5];
            std::snprintf(code, sizeof code, "\\%03o",
                          static_cast<unsigned>(static_cast<unsigned char>(c)));
            out += code;
        } else {
            out += c;
        }
    }
    return out;
}

// Sends the whole of a short text or nothing: a client that has not been spoken to has room.
void send_text(int fd, std::string_view text) {
    (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Client::Client(Screen& screen, Fd socket, std::function<void(Client*)> ended)
    : screen_(screen),
      ended_(std::move(ended)),
      socket_(std::move(socket)),
      timer_(screen.loop,
             [this] {
                 const auto due = std::move(due_);  // may destroy us
                 due();
             }),
      started_(screen.loop.clock().steady()),
      score_(screen.options.dns_lists) {
    const auto peer = sys::peer_address(socket_.get()), local = sys::local_address(socket_.get());
    addresses_ = {peer.ip(), local.ip(), peer.port(), local.port()};
}

Client::~Client() {
    for (const auto id : questions_) screen_.resolver.cancel(id);
    if (!counted_) return;
    const auto own = screen_.clients.find(addresses_.client.str());
    if (own != screen_.clients.end() && --own->second == 0) screen_.clients.erase(own);
    if (under_test_) --screen_.under_test;
    if (for_server_) --screen_.for_server;
}

std::int64_t Client::now() const {
    return std::chrono::duration_cast<Seconds>(screen_.loop.clock().now().time_since_epoch())
        .count();
}

std::string Client::seconds_since_start() const {
    const auto passed =
        std::chrono::duration_cast<Millis>(screen_.loop.clock().steady() - started_);
    const auto count = passed.count();
    char text[32];
    // Postfix's two significant digits.
    if (count >= 10'000)
        std::snprintf(text, sizeof text, "%lld", static_cast<long long>((count + 500) / 1000));
    else if (count >= 1000)
        std::snprintf(text, sizeof text, "%.1f", static_cast<double>(count) / 1000.0);
    else
        std::snprintf(text, sizeof text, "%.2f", static_cast<double>(count) / 1000.0);
    std::string out(text);
    if (out.find('.') != std::string::npos) {
        while (out.ends_with('0')) out.pop_back();
        if (out.ends_with('.')) out.pop_back();
    }
    return out;
}

void Client::wait(Millis time, std::function<void()> due) {
    due_ = std::move(due);
    timer_.start(time);
}

void Client::watch(void (Client::*on_readable)()) {
    watch_ = std::make_unique<loop::Watch>(screen_.loop, socket_.get(),
                                           [this, on_readable] { (this->*on_readable)(); });
    watch_->want_read(true);
}

void Client::start() {
    if (!screen_.options.haproxy) {
        screen_.loop.post([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->known();
        });
        return;
    }
    wait(screen_.options.proxy_timeout, [this] {
        log::warning("", "no PROXY header within postscreen_upstream_proxy_timeout");
        end();
    });
    watch(&Client::read_proxy);
}

// Takes the header and not a byte more: what follows is for smtpd.
void Client::read_proxy() {
    std::array<char, smtp::kMaxProxyHeader> bytes;
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    const auto header = smtp::parse_proxy_header(
        {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
    if (got <= 0 || !header) {
        log::warning("", got <= 0 ? "lost connection before the PROXY header"
                                  : cat({"haproxy: ", header.error().what}));
        return end();
    }
    if (!*header) return;
    if (::recv(socket_.get(), bytes.data(), (*header)->size, MSG_DONTWAIT) !=
        static_cast<ssize_t>((*header)->size))
        return end();
    timer_.stop();
    watch_.reset();
    if ((*header)->names) addresses_ = *(*header)->names;
    known();
}

// --- Who is it? ---

void Client::known() {
    const Options& o = screen_.options;
    const std::string address = addresses_.client.str();
    name_ = cat({"[", address, "]:", std::to_string(addresses_.client_port)});
    log::info("", cat({"CONNECT from ", name_, " to [", addresses_.server.str(),
                       "]:", std::to_string(addresses_.server_port)}));
    announced_ = counted_ = true;
    if (++screen_.clients[address] > o.clients_per_address && o.clients_per_address > 0)
        return refuse_now("too many connections",
                          cat({"421 4.7.0 ", o.hostname, " Error: too many connections"}));
    const auto word = screen_.access.about(addresses_.client);
    if (word == Access::Word::permit) {
        log::info("", cat({o.respectful ? "ALLOWLISTED " : "WHITELISTED ", name_}));
        return hand_over();
    }
    if (word == Access::Word::reject) {
        log::info("", cat({o.respectful ? "DENYLISTED " : "BLACKLISTED ", name_}));
        const std::string text =
            cat({"Service unavailable; client [", address, "] blocked using local blocklist"});
        if (o.denylist_action == Action::drop) return drop(cat({"521 5.3.2 ", text}));
        if (o.denylist_action == Action::enforce) {
            failed_ = true;
            refusal_ = cat({"550 5.3.2 ", text});
        }
    }
    if (!screen_.access.lets_pass(addresses_.server)) {
        log::info("", cat({o.respectful ? "ALLOWLIST VETO " : "WHITELIST VETO ", name_}));
        vetoed_ = true;
    }
    run_tests();
}

void Client::run_tests() {
    const Options& o = screen_.options;
    passed_ = screen_.cache.find(addresses_.client.str());
    const ScreenTest* rules[kTests] = {&o.greet, &o.lists, &o.pipelining, &o.non_smtp,
                                       &o.bare_newline};
    bool any = false;
    for (std::size_t i = 0; i < kTests; ++i) {
        todo_[i] = rules[i]->enabled && passed_.until[i] <= now();
        any = any || todo_[i];
    }
    if (!any && !failed_ && !vetoed_) {
        log::info("", cat({"PASS OLD ", name_}));
        return hand_over();
    }
    if (screen_.under_test >= o.under_test && o.under_test > 0)
        return refuse_now("all screening ports busy", "421 4.3.2 All screening ports are busy");
    ++screen_.under_test;
    under_test_ = true;
    // With an answer before its time the client gives itself away.
    if (todo(Trial::greet) && !o.teaser.empty())
        send_text(socket_.get(), cat({"220-", o.teaser, "\r\n"}));
    if (!todo(Trial::greet) && !todo(Trial::lists)) return speak();
    if (todo(Trial::lists)) ask_lists();
    watch(&Client::peek);
    wait(o.greet_wait, [this] { waited(); });
}

// --- Before the greeting ---

void Client::ask_lists() {
    const std::string reversed = dns::reverse_name(addresses_.client.str());
    const auto arpa = reversed.rfind(addresses_.client.is_v4() ? ".in-addr.arpa" : ".ip6.arpa");
    const std::string prefix = reversed.substr(0, arpa);
    for (const std::string& domain : score_.domains()) {
        ++open_questions_;
        questions_.push_back(screen_.resolver.resolve(
            cat({prefix, ".", domain}), dns::RecordType::a, screen_.options.list_timeout,
            [this, domain](const dns::AnswerLookup& answer) { on_list(domain, answer); }));
    }
}

void Client::on_list(const std::string& domain, const dns::AnswerLookup& answer) {
    --open_questions_;
    std::vector<std::string> addresses;
    if (answer.found())
        for (const auto& record : answer->records) addresses.push_back(record.data);
    if (answer.failed())
        log::warning("", cat({"dnsblog: ", domain, ": ", answer.error().what}));
    else
        score_.add(domain, addresses, answer.found() ? answer->ttl : Seconds{0});
    for (const auto& address : addresses)
        log::info("", cat({"addr ", addresses_.client.str(), " listed by domain ", domain, " as ",
                           address}));
    if (wait_over_ && open_questions_ == 0) judge();
}

// Something came although we have not spoken; or the client has gone.
void Client::peek() {
    std::array<char, 512> bytes;
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return hang_up("tests before SMTP handshake");
    watch_.reset();  // its words stay where they are
    if (todo(Trial::greet)) pregreet({bytes.data(), static_cast<std::size_t>(got)});
}

void Client::pregreet(std::string_view text) {
    log::info("", cat({"PREGREET ", std::to_string(text.size()), " after ", seconds_since_start(),
                       " from ", name_, ": ", escaped(text)}));
    (void)fail(screen_.options.greet, Trial::greet, "521 5.5.1 Protocol error",
               "550 5.5.1 Protocol error");
}

// True: that was the end of the client.
bool Client::fail(const ScreenTest& rule, Trial test, const std::string& last,
                  const std::string& refusal) {
    todo_[index(test)] = false;
    failed_tests_[index(test)] = true;
    if (rule.action == Action::drop) {
        drop(last);
        return true;
    }
    if (rule.action == Action::enforce) {
        failed_ = true;
        if (refusal_.empty()) refusal_ = refusal;
    }
    return false;
}

void Client::waited() {
    wait_over_ = true;
    if (open_questions_ == 0) return judge();
    // The lists have their own time limit.
}

void Client::judge() {
    const Options& o = screen_.options;
    if (todo(Trial::greet)) passed_.of(Trial::greet) = now() + o.greet.lifetime.count();
    if (todo(Trial::lists)) {
        const int rank = score_.rank();
        if (rank != 0) log::info("", cat({"DNSBL rank ", std::to_string(rank), " for ", name_}));
        if (rank >= o.list_threshold) {
            const std::string text =
                cat({"Service unavailable; client [", addresses_.client.str(), "] blocked using ",
                     screen_.access.list_name(score_.reason())});
            if (fail(o.lists, Trial::lists, cat({"521 5.7.1 ", text}), cat({"550 5.7.1 ", text})))
                return;
        } else {
            const Seconds time = std::clamp(score_.lifetime(), o.list_min_lifetime,
                                            std::max(o.list_min_lifetime, o.lists.lifetime));
            passed_.of(Trial::lists) = now() + time.count();
        }
        if (o.allow_threshold < 0 && rank <= o.allow_threshold && !vetoed_)
            for (const Trial test : {Trial::pipelining, Trial::non_smtp, Trial::bare_newline})
                todo_[index(test)] = false;
    }
    speak();
}

// --- The session ---

// Either all tests are done and smtpd takes over, or the client is spoken to here.
void Client::speak() {
    watch_.reset();
    timer_.stop();
    const bool deep = todo(Trial::pipelining) || todo(Trial::non_smtp) || todo(Trial::bare_newline);
    if (!failed_ && !vetoed_ && !deep) {
        if (none_failed()) {
            keep();
            log::info("", cat({"PASS NEW ", name_}));
        }
        return hand_over();
    }
    session_.emplace(screen_.options, name_, todo_,
                     screen_.access.hidden_keywords(addresses_.client.str()));
    if (!refusal_.empty()) session_->refuse(refusal_);
    stream_ = std::make_unique<loop::Stream>(screen_.loop, std::move(socket_), *this);
    stream_->write(session_->greeting());
    stream_->flush();
    listen();
}

void Client::listen() {
    wait(screen_.options.command_time, [this] {
        perform(session_->on_silence());
        stream_->flush();
    });
}

void Client::on_input() {
    while (!closing_) {
        const auto line = stream_->take_line(kLine);
        using Kind = loop::Stream::Line::Kind;
        if (line.kind == Kind::need_more) break;
        if (line.kind == Kind::too_long) {
            perform(session_->on_long_line());
        } else {
            const auto other = screen_.access.replacement(line.text);
            if (other)
                log::info("", cat({name_, ": replacing client command \"", printable(line.text),
                                   "\" with \"", printable(*other), "\""}));
            perform(session_->on_line(other ? *other : line.text, line.crlf, stream_->input()));
        }
        if (!closing_) listen();
    }
    if (!closing_ && stream_->at_eof()) return hang_up("tests after SMTP handshake");
}

// postscreen_reject_footer and its maps.
std::string Client::footed(const std::string& reply) const {
    if (!reply.starts_with('4') && !reply.starts_with('5')) return reply;
    const std::string footer = screen_.access.footer(std::string(trim_right(reply)));
    if (footer.empty()) return reply;
    return config::with_footer(reply, footer, screen_.options.expansion,
                               [this](std::string_view name) { return footer_value(name); });
}

std::optional<std::string> Client::footer_value(std::string_view name) const {
    const std::string address = addresses_.client.str();
    if (name == "client") return cat({"unknown[", address, "]"});
    if (name == "client_name" || name == "reverse_client_name") return "unknown";
    if (name == "client_address") return address;
    if (name == "client_port") return std::to_string(addresses_.client_port);
    if (name == "server_name" || name == "myhostname") return screen_.options.hostname;
    if (name == "server_address") return addresses_.server.str();
    if (name == "server_port") return std::to_string(addresses_.server_port);
    if (name == "helo_name") return session_ ? session_->helo() : std::string();
    if (name == "sender") return session_ ? session_->sender() : std::string();
    if (name == "recipient") return session_ ? session_->recipient() : std::string();
    if (name == "localtime") return format_local_time(screen_.loop.clock().now(), "%b %d %H:%M:%S");
    return std::nullopt;
}

void Client::perform(const TestSession::Step& step) {
    for (const auto& line : session_->take_log()) log::info("", line);
    stream_->write(footed(step.reply));
    if (step.start_tls) return start_tls();
    if (step.close) take_leave();
}

void Client::take_leave() {
    closing_ = true;
    timer_.stop();
    conclude();
    wait(kFarewell, [this] { end(); });
    stream_->close_after_flush();
}

void Client::start_tls() {
    const auto started = stream_->start_tls_server(*screen_.options.tls);
    if (started) return;
    // Plaintext that came before the handshake (CVE-2011-0411) is never taken for commands of the
    // client: the session ends.
    log::warning("", cat({"STARTTLS from ", name_, ": ", started.error().what}));
    take_leave();
}

void Client::on_secured() {
    if (screen_.options.tls_loglevel > 0)
        log::info("", cat({"Anonymous TLS connection established from ", name_, ": ",
                           stream_->tls_info().describe()}));
    session_->on_tls();
    listen();
}

// What the client has passed is remembered, should it come again.
void Client::conclude() {
    if (!session_->through() || session_->failed() || failed_ || vetoed_ || !none_failed()) return;
    const Options& o = screen_.options;
    const ScreenTest* rules[kTests] = {nullptr, nullptr, &o.pipelining, &o.non_smtp,
                                       &o.bare_newline};
    for (const Trial test : {Trial::pipelining, Trial::non_smtp, Trial::bare_newline})
        if (todo(test)) passed_.of(test) = now() + rules[index(test)]->lifetime.count();
    keep();
    log::info("", cat({"PASS NEW ", name_}));
}

void Client::keep() {
    screen_.cache.store(addresses_.client.str(), passed_);
    screen_.cache_changed();
}

bool Client::none_failed() const {
    return std::none_of(failed_tests_.begin(), failed_tests_.end(), [](bool f) { return f; });
}

void Client::on_closed(const Error* error) {
    if (error != nullptr && !closing_ && stream_->tls_started() && !stream_->secured())
        log::info("", cat({"SSL_accept error from ", name_, ": ", error->what}));
    if (error != nullptr && !closing_) return hang_up("tests after SMTP handshake");
    end();
}

// --- The end ---

void Client::hang_up(std::string_view when) {
    log::info("", cat({"HANGUP after ", seconds_since_start(), " from ", name_, " in ", when}));
    if (session_) conclude();
    end();
}

void Client::refuse_now(std::string_view reason, const std::string& reply) {
    log::info("", cat({"NOQUEUE: reject: CONNECT from ", name_, ": ", reason}));
    drop(reply);
}

void Client::drop(const std::string& reply) {
    send_text(socket_.get(), footed(reply + "\r\n"));
    ::shutdown(socket_.get(), SHUT_WR);
    // What it has sent unasked is read, so that our words are not lost with a reset.
    std::array<char, 4096> rest;
    while (::recv(socket_.get(), rest.data(), rest.size(), MSG_DONTWAIT) > 0) continue;
    end();
}

void Client::end() {
    if (over_) return;
    over_ = true;
    timer_.stop();
    watch_.reset();
    for (const auto id : std::exchange(questions_, {})) screen_.resolver.cancel(id);
    if (announced_ && !handed_over_) log::info("", cat({"DISCONNECT ", name_}));
    ended_(this);  // destroys us
}

void Client::drain() {
    if (!socket_ || over_ || closing_) return;
    if (!under_test_) return;
    drop(cat({"421 4.3.2 ", screen_.options.hostname, " Service not available"}));
}

// --- To smtpd ---

void Client::hand_over() {
    watch_.reset();
    if (under_test_) {
        under_test_ = false;
        --screen_.under_test;
    }
    if (attempts_ == 0) {
        if (screen_.for_server >= screen_.options.waiting_for_server &&
            screen_.options.waiting_for_server > 0)
            return refuse_now("all server ports busy", "421 4.3.2 All server ports are busy");
        ++screen_.for_server;
        for_server_ = true;
    }
    const auto sent = send_to_server();
    if (sent) {
        handed_over_ = true;
        return end();
    }
    if (!sys::would_block(sent.error()) || ++attempts_ > kServerAttempts) {
        log::warning("", cat({"cannot hand ", name_, " to ", screen_.options.smtpd_path, ": ",
                              sent.error().what}));
        return refuse_now("all server ports busy", "421 4.3.2 All server ports are busy");
    }
    wait(kServerPause, [this] { hand_over(); });
}

Result<void> Client::send_to_server() {
    TRY_ASSIGN(const Fd server, sys::try_connect_unix(screen_.options.smtpd_path));
    ipc::Handoff message;
    message.client_address = addresses_.client.str();
    message.server_address = addresses_.server.str();
    message.client_port = addresses_.client_port;
    message.server_port = addresses_.server_port;
    TRY_ASSIGN(const std::string packet, ipc::encode(message, ipc::Header{.descriptors = 1}));
    const int fd = socket_.get();
    return sys::send_packet(server.get(), packet, std::span(&fd, 1));
}

}  // namespace postern::postscreen
