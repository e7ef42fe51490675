// The connection to Dovecot's authentication server, see dovecot_auth.h.
#include "smtpd/dovecot_auth.h"

#include <unistd.h>

#include <utility>

#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"

namespace postern::smtpd {
namespace {

constexpr Millis kPatience{10'000};

sasl::DovecotReply trouble(std::uint32_t id) {
    sasl::DovecotReply reply;
    reply.id = id;
    reply.reason = "authentication server does not answer";
    reply.temporary = true;
    return reply;
}

}  // namespace

DovecotAuth::DovecotAuth(loop::Loop& loop, sys::SocketAddress server, std::string name)
    : loop_(loop),
      server_(server),
      name_(std::move(name)),
      patience_(loop, [this] { lost("timeout"); }) {}

DovecotAuth::~DovecotAuth() { *alive_ = false; }

const std::vector<sasl::DovecotMechanism>& DovecotAuth::mechanisms() const {
    static const std::vector<sasl::DovecotMechanism> kNone;
    return usable() ? client_.mechanisms() : kNone;
}

void DovecotAuth::when_ready(std::function<void()> done) {
    waiting_.push_back(std::move(done));
    if (usable()) return settled();
    if (!stream_) connect();
}

void DovecotAuth::connect() {
    client_ = {};
    auto socket = sys::start_connect(server_);
    if (!socket) return lost(socket.error().what);
    stream_ = loop::Stream::connecting(loop_, std::move(*socket), name_, *this);
    patience_.start(kPatience);
}

void DovecotAuth::on_connected() {
    stream_->write(sasl::DovecotClient::hello(static_cast<std::uint32_t>(::getpid())));
    stream_->flush();
}

void DovecotAuth::on_input() {
    const auto alive = alive_;
    while (stream_) {
        const auto line = stream_->take_line(sasl::DovecotClient::kMaxLine);
        using Kind = loop::Stream::Line::Kind;
        if (line.kind == Kind::too_long) return lost("a line that is too long");
        if (line.kind == Kind::need_more) break;
        const bool was_ready = client_.ready();
        auto reply = client_.on_line(line.text);
        if (!reply) return lost(reply.error().what);
        if (!was_ready && client_.ready()) settled();
        if (reply->has_value()) deliver(**reply);
        if (!*alive) return;
    }
    if (stream_ && stream_->at_eof()) lost("connection closed");
}

void DovecotAuth::on_closed(const Error* error) {
    lost(error ? error->what : std::string("connection closed"));
}

// Whoever waits for the server goes on, on the loop's next turn.
void DovecotAuth::settled() {
    patience_.stop();
    for (auto& done : std::exchange(waiting_, {})) loop_.post(std::move(done));
}

void DovecotAuth::lost(const std::string& why) {
    // An idle server that ends (a reload of Dovecot's) is not worth a warning.
    if (!waiting_.empty() || !exchanges_.empty() || !client_.ready())
        log::warning("", cat({"SASL: Dovecot's authentication server at ", name_, ": ", why}));
    stream_.reset();
    client_ = {};
    settled();
    for (auto& [id, done] : std::exchange(exchanges_, {}))
        loop_.post([done = std::move(done), id = id] { done(trouble(id)); });
}

std::uint32_t DovecotAuth::start(sasl::DovecotRequest request, Done done) {
    request.id = ++last_id_;
    exchanges_[request.id] = std::move(done);
    send(request.id, sasl::DovecotClient::start(request));
    crypto::wipe(request.response);
    return request.id;
}

void DovecotAuth::go_on(std::uint32_t id, std::string_view response) {
    send(id, sasl::DovecotClient::go_on(id, response));
}

void DovecotAuth::send(std::uint32_t id, Result<std::string> line) {
    if (usable() && line && exchanges_.contains(id)) {
        stream_->write(*line);
        crypto::wipe(*line);  // it may hold a password
        return stream_->flush();
    }
    loop_.post([this, alive = alive_, id] {
        if (*alive) deliver(trouble(id));
    });
}

void DovecotAuth::cancel(std::uint32_t id) {
    if (exchanges_.erase(id) == 0 || !usable()) return;
    stream_->write(sasl::DovecotClient::cancel(id));
    stream_->flush();
}

void DovecotAuth::deliver(const sasl::DovecotReply& reply) {
    const auto at = exchanges_.find(reply.id);
    if (at == exchanges_.end()) return;  // one that was given up
    const auto done = at->second;
    if (reply.kind != sasl::DovecotReply::Kind::challenge) exchanges_.erase(at);
    done(reply);
}

}  // namespace postern::smtpd
