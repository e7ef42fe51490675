// LoadGenerator: sends many messages through many SMTP or LMTP sessions at once, on one loop. The
// logic of smtp-source, apart from its command line so that a test can run it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/loop/loop.h"
#include "lib/loop/stream.h"
#include "lib/smtp/client_session.h"
#include "lib/sys/socket.h"

namespace postern::commands {

struct LoadOptions {
    sys::SocketAddress to;
    std::size_t sessions = 1;
    std::size_t messages = 1;
    std::size_t recipients = 1;      // per message; from 2 on their names get a number in front
    bool number_recipients = false;  // -N: a number in front that never repeats
    bool keep_connection = false;    // -d: next message on the same connection
    bool lmtp = false;
    bool pipelining = false;
    bool go_on = false;  // -A: an unexpected answer is not the end of everything
    bool headers = true;
    std::size_t length = 0;  // of the body; 0: a few lines
    std::string content;     // -F: whole message instead, wire form with CRLF
    std::string hostname = "localhost";
    std::string sender;
    std::string recipient;
    std::string subject;
    int connect_attempts = 1;
    Millis fixed_wait{0};   // -w: between the messages of a session
    Millis random_wait{0};  // -R: the same, random up to this
};

class LoadGenerator {
  public:
    // `progress` is called after each message with the number sent so far; may be empty.
    LoadGenerator(loop::Loop& loop, LoadOptions options,
                  std::function<void(std::size_t)> progress = {});
    ~LoadGenerator();
    LoadGenerator(const LoadGenerator&) = delete;
    LoadGenerator& operator=(const LoadGenerator&) = delete;

    // Runs the loop until all messages are sent. The Error shows the answer that was not expected.
    Result<void> run();
    std::size_t sent() const { return sent_; }
    std::size_t refused() const { return refused_; }

  private:
    class Session;
    friend class Session;

    bool take_message();              // false: none is left
    std::string content_for(int fd);  // headers and body, dot-stuffed, with the final dot
    smtp::ClientTransaction transaction();
    void on_done(bool good, std::string_view text);
    void on_session_over();
    void fail(std::string text);

    loop::Loop& loop_;
    LoadOptions options_;
    std::function<void(std::size_t)> progress_;
    std::string body_;  // stuffed, with the final dot
    std::vector<std::unique_ptr<Session>> sessions_;
    std::size_t left_ = 0;
    std::size_t running_ = 0;
    std::size_t sent_ = 0;
    std::size_t refused_ = 0;
    std::size_t recipient_number_ = 0;
    std::size_t message_number_ = 0;
    std::string failure_;
};

}  // namespace postern::commands
