// TestSession: the SMTP that a client under test is spoken to with. It takes no mail: every
// recipient is refused, "come again later" or for good, so that the log has helo, sender and
// recipient. It watches for what only bad clients do: commands sent too early, commands that are
// none, lines that end in LF alone. Pure.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "postscreen/cache.h"
#include "postscreen/options.h"

namespace postern::postscreen {

class TestSession {
  public:
    // `client`: "[192.0.2.1]:1234", for the log. `todo`: the tests that the client has not passed.
    // `hidden`: keywords of EHLO that it is not offered, in capitals.
    TestSession(const Options& options, std::string client, std::array<bool, kTests> todo,
                std::vector<std::string> hidden);

    std::string greeting() const;
    // What recipients hear: "550 5.7.1 text" instead of "come again later".
    void refuse(std::string reply) { rcpt_reply_ = std::move(reply); }

    struct Step {
        std::string reply;
        bool close = false;
        bool start_tls = false;  // when the reply has gone out; then on_tls()
    };
    // A line without its end; `behind`: what the client has sent after it already.
    Step on_line(std::string_view line, bool crlf, std::string_view behind);
    Step on_long_line();
    Step on_silence();
    // The handshake is done: what the client said before does not count (RFC 3207 4.2).
    void on_tls();

    const std::string& helo() const { return helo_; }
    const std::string& sender() const { return sender_; }
    const std::string& recipient() const { return recipient_; }
    std::vector<std::string> take_log();
    bool failed() const { return failed_; }
    // The client got far enough for the tests to count.
    bool through() const { return through_; }

  private:
    Step violation(Trial test, const ScreenTest& rule, std::string_view what,
                   std::string_view text);
    Step command(std::string_view verb, std::string_view rest);
    Step start_tls(std::string_view rest) const;
    Step mail(std::string_view rest);
    Step rcpt(std::string_view rest);
    std::string extensions() const;
    bool wants(Trial test) const { return todo_[static_cast<std::size_t>(test)]; }
    bool is_forbidden(std::string_view verb, std::string_view line) const;
    void tell(std::string text) { log_.push_back(std::move(text)); }
    std::string helo_text() const;

    const Options& options_;
    std::string client_;
    std::array<bool, kTests> todo_;
    std::vector<std::string> hidden_, log_;
    std::string rcpt_reply_ = "450 4.3.2 Service currently unavailable";
    std::string last_ = "CONNECT";  // the command that was answered last
    std::string helo_, protocol_ = "SMTP", sender_, recipient_;
    bool mail_ = false, failed_ = false, through_ = false, secured_ = false;
    std::size_t commands_ = 0;
};

}  // namespace postern::postscreen
