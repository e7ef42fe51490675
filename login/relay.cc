#include "login/relay.h"

#include <sys/socket.h>

namespace postern::login {
namespace {

void pump(loop::Stream& from, loop::Stream& to, std::size_t enough) {
    const std::string_view input = from.input();
    if (!input.empty()) {
        to.write(input);
        from.consume(input.size());
        to.flush();
    }
    if (to.queued() >= enough)
        from.pause_reading();
    else
        from.resume_reading();
}

}  // namespace

Relay::Relay(loop::Loop& loop, loop::Stream& client, Fd worker, std::function<void()> ended)
    : client_(client), worker_(loop, std::move(worker), *this), ended_(std::move(ended)) {
    // What came while the hand-off was under way.
    client_input();
}

void Relay::client_input() {
    if (worker_over_) return;
    pump(client_, worker_, kEnough);
    pass_on_eof();
}

// The client will say no more; the worker learns it and may still answer (RFC 9293 3.6:
// half-closed).
void Relay::pass_on_eof() {
    if (eof_passed_ || worker_over_ || !client_.at_eof() || worker_.queued() > 0) return;
    eof_passed_ = true;
    ::shutdown(worker_.fd(), SHUT_WR);
}

void Relay::client_drained() {
    if (!worker_over_) worker_.resume_reading();
}

void Relay::on_input() {
    if (client_over_) return;
    pump(worker_, client_, kEnough);
    // The worker has said its last word (LOGOUT, QUIT): the client gets it, then the end.
    if (worker_.at_eof()) client_.close_after_flush();
}

void Relay::on_drained() {
    if (!client_over_) client_.resume_reading();
    pass_on_eof();
}

void Relay::client_closed() {
    client_over_ = true;
    if (!worker_over_) return worker_.close_after_flush();
    ended_();
}

void Relay::on_closed(const Error*) {
    worker_over_ = true;
    if (!client_over_) return client_.close_after_flush();
    ended_();
}

}  // namespace postern::login
