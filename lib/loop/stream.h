// Stream: a connected socket on the loop, plain or TLS, with its input and output buffers. The
// owner is told that input has come and takes what it understands: lines or bytes. Callbacks come
// from the loop only, never from inside a method, so no callback ever starts a second one; a
// callback may destroy the stream. The end of input is a state, not an event that discards what was
// read before it. An idle stream holds no buffers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/tls/engine.h"

#include "lib/loop/loop.h"

namespace postern::loop {

// What a stream tells its owner.
class StreamHandler {
  public:
    virtual ~StreamHandler() = default;
    // input() has grown, or at_eof() has become true.
    virtual void on_input() = 0;
    // Over: the connection broke (error), or close_after_flush() has done its work (null). Comes
    // once, and nothing comes after it.
    virtual void on_closed(const Error* error) = 0;
    // Everything queued has been sent, after flush() could not send it all.
    virtual void on_drained() {}
    // A connection that was under way is made.
    virtual void on_connected() {}
    // The TLS handshake is done; tls_info() tells the rest.
    virtual void on_secured() {}
};

class Stream {
  public:
    static constexpr std::size_t kDefaultInputLimit = 64 * 1024;

    // Takes a connected socket; begins to read on the next turn of the loop.
    Stream(Loop& loop, Fd socket, StreamHandler& handler);
    // Takes a socket from sys::start_connect(); on_connected() or on_closed() follows. `name` is
    // for the error: "connect to NAME: Connection refused".
    static std::unique_ptr<Stream> connecting(Loop& loop, Fd socket, std::string name,
                                              StreamHandler& handler);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // --- Input. Views stay valid until flush() or until control goes back to the loop. ---

    // A line is what comes before LF, without it and without one CR before it. Longer ones than
    // `limit` bytes are skipped up to their end, then reported, and cost no memory.
    struct Line {
        enum class Kind : unsigned char { line, need_more, too_long };
        Kind kind = Kind::need_more;
        std::string_view text;
        bool crlf = false;  // it did end in CR LF
    };
    Line take_line(std::size_t limit);
    std::string_view input() const { return std::string_view(in_).substr(in_head_); }
    void consume(std::size_t count);  // of input(), from its front
    bool at_eof() const { return eof_; }
    // How much may wait unread before the peer is made to wait.
    void set_input_limit(std::size_t bytes);
    void pause_reading();
    void resume_reading();

    // --- Output: queued by write(), sent by flush(), and by the stream after each callback. ---

    void write(std::string_view bytes);
    void flush();
    std::size_t queued() const;  // bytes that are not with the kernel yet
    // Sends what is queued, ends TLS and the connection, then on_closed(null). Reads no more.
    void close_after_flush();

    // --- TLS ---

    // Errc::denied when input is waiting that came in plaintext: whoever injected it must not have
    // it taken for the peer's protected words (CVE-2011-0411). The connection must then be ended.
    Result<void> start_tls_server(const tls::ServerContext& context);
    Result<void> start_tls_client(const tls::ClientContext& context, const std::string& hostname,
                                  const tls::Dane* dane = nullptr);
    bool secured() const { return tls_ && tls_->established(); }
    bool tls_started() const { return tls_.has_value(); }
    tls::Info tls_info() const { return tls_->info(); }  // precondition: secured()
    tls::ChannelBindings channel_bindings() const { return tls_->channel_bindings(); }  // likewise

    int fd() const { return socket_.get(); }
    // Gives the socket away, with the input that nobody took. Not for TLS; nothing may be queued.
    Fd detach(std::string& pending);

  private:
    void watch_socket();
    void on_readable();
    void on_writable();
    Result<void> read_some();
    Result<void> take_in(std::string_view bytes);
    void encrypt_pending();
    Result<void> send_some();
    bool deliver_input();  // false: we were destroyed by it
    bool settle();         // after a callback: flush, and tell a failure
    void update_interest();
    void end(std::optional<Error> error);  // tells the handler; we may be destroyed
    void end_later(std::optional<Error> error);
    void release_input();

    Loop& loop_;
    StreamHandler& handler_;
    Fd socket_;
    std::unique_ptr<Watch> watch_;
    std::optional<tls::Engine> tls_;
    std::string in_;
    std::string out_;    // as it goes to the wire
    std::string plain_;  // with TLS: not yet encrypted
    std::string name_;   // while connecting
    std::size_t in_head_ = 0;
    std::size_t out_head_ = 0;
    std::size_t input_limit_ = kDefaultInputLimit;
    std::shared_ptr<Stream*> self_;  // made when a callback is posted; cleared by the destructor
    bool* gone_ = nullptr;           // set while the handler runs: tells us that it destroyed us
    bool eof_ = false;
    bool paused_ = false;
    bool skipping_ = false;  // inside a line that is too long
    bool connecting_ = false;
    bool told_secured_ = false;
    bool blocked_ = false;  // the kernel takes no more at present
    bool closing_ = false;
    bool over_ = false;
};

}  // namespace postern::loop
