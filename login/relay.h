// Relay: after the hand-off of a TLS client, bytes go between the client's stream (which decrypts)
// and one end of a socketpair whose other end the worker has. Each side is read only as fast as the
// other takes it. Ends when the worker closes, or when the client does and the worker has had its
// last bytes.
#pragma once

#include <functional>
#include <memory>

#include "lib/loop/stream.h"

namespace postern::login {

class Relay final : public loop::StreamHandler {
  public:
    // `client` is the session's stream, which forwards its events here. ended(): both sides are
    // over.
    Relay(loop::Loop& loop, loop::Stream& client, Fd worker, std::function<void()> ended);

    // The client stream's events.
    void client_input();
    void client_drained();
    void client_closed();

    // The worker stream's.
    void on_input() override;
    void on_drained() override;
    void on_closed(const Error* error) override;

  private:
    static constexpr std::size_t kEnough = 64 * 1024;  // queued on one side: stop reading the other
    void pass_on_eof();

    loop::Stream& client_;
    loop::Stream worker_;
    std::function<void()> ended_;
    bool worker_over_ = false;
    bool client_over_ = false;
    bool eof_passed_ = false;
};

}  // namespace postern::login
