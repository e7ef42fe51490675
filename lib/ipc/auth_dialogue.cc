#include "lib/ipc/auth_dialogue.h"

#include "lib/crypto/secret.h"
#include "lib/ipc/loop_channel.h"

namespace postern::ipc {

// Who holds it is interested in the answer.
struct AuthDialogue::Exchange {
    Exchange(loop::Loop& l, std::string name)
        : loop(l), service(std::move(name)), timer(l, [this] { fail("timeout"); }) {}

    void settle(Result<AuthAnswer> answer) {
        timer.stop();
        const Done to = std::move(done);
        done = nullptr;
        if (to) to(std::move(answer));  // may destroy us
    }
    void fail(const char* why) {
        channel.reset();
        settle(Error{Errc::temporary, "service " + service + ": " + why});
    }
    void take(Fd connection) {
        channel = std::make_unique<LoopChannel>(
            loop, std::move(connection),
            LoopChannel::Handler{[this](const Packet& packet) { settle(packet.as<AuthAnswer>()); },
                                 [this](const Error&) { fail("connection closed"); }});
    }

    loop::Loop& loop;
    std::string service, trace;
    loop::Timer timer;
    std::unique_ptr<LoopChannel> channel;  // after the first answer
    Done done;
};

AuthDialogue::AuthDialogue(loop::Loop& loop, Client& auth, Millis timeout)
    : loop_(loop), auth_(auth), timeout_(timeout) {}

AuthDialogue::~AuthDialogue() = default;

void AuthDialogue::begin(const AuthRequest& request, Done done) {
    exchange_ = std::make_shared<Exchange>(loop_, auth_.path());
    exchange_->trace = request.session.str();
    exchange_->done = std::move(done);
    auth_.converse<AuthAnswer>(
        request, timeout_,
        [weak = std::weak_ptr(exchange_)](Result<AuthAnswer> answer, Fd connection) {
            const auto self = weak.lock();
            if (!self) return;
            if (answer && answer->outcome == AuthOutcome::challenge)
                self->take(std::move(connection));
            self->settle(std::move(answer));
        },
        exchange_->trace);
}

void AuthDialogue::respond(std::string response, Done done) {
    if (!exchange_) exchange_ = std::make_shared<Exchange>(loop_, auth_.path());
    exchange_->done = std::move(done);
    exchange_->timer.start(timeout_);
    AuthResponse message{std::move(response)};
    const crypto::WipeGuard guard(message.response);
    if (exchange_->channel && exchange_->channel->send(message, exchange_->trace)) return;
    loop_.post([weak = std::weak_ptr(exchange_)] {
        if (const auto self = weak.lock()) self->fail("the exchange is over");
    });
}

}  // namespace postern::ipc
