// SinkSession: the server's side of smtp-sink: takes any mail and throws it away, or fails in the
// ways that its options ask for. Pure and cheap: it is the far end of measurements.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/base/strings.h"

namespace postern::commands {

using CommandNames = std::set<std::string, ILess>;  // "CONNECT", "MAIL", "." for the end of data

struct SinkOptions {
    std::string hostname = "localhost";
    bool lmtp = false;
    bool esmtp = true;                                           // -e
    bool pipelining = true;                                      // -p
    bool eight_bit_mime = true;                                  // -8
    bool auth = true;                                            // -a
    bool enhanced_status = true;                                 // -E
    bool dsn = true;                                             // -N
    bool smtputf8 = true;                                        // -U
    bool xclient = true;                                         // -C
    bool xforward = true;                                        // -F
    bool pix_greeting = false;                                   // -P
    CommandNames soft_reject;                                    // -f
    CommandNames hard_reject;                                    // -r
    CommandNames disconnect;                                     // -q
    CommandNames refuse_and_close;                               // -Q: 421
    CommandNames log;                                            // -s
    std::string soft_reply = "450 4.3.0 Error: command failed";  // -b
    std::string hard_reply = "500 5.3.0 Error: command failed";  // -B
    struct Delay {
        Millis time{0};
        unsigned odds = 1;  // 1 of so many
    };
    std::map<std::string, Delay, ILess> delays;  // -w, -W
    bool abort_after_data = false;               // -A: reset after the delay of DATA
    Millis read_delay{0};                        // -H: before content is read
    bool keep_content = false;                   // -d, -D
};

struct SinkCounters {
    std::uint64_t sessions = 0, messages = 0, quits = 0, drops = 0;
};

// What is known of the message that has just ended, for dump files.
struct SinkMessage {
    std::string protocol, helo, mail_arguments;
    std::string recipients;  // "X-Rcpt-Args: ..." lines
    std::string content;     // LF lines, dots unstuffed
};

class SinkSession {
  public:
    SinkSession(const SinkOptions& options, SinkCounters& counters, Random& random);

    void on_connect();
    // Consumes input up to its end, or up to where a wait, an end or a message to be taken comes.
    // Returns the bytes consumed.
    std::size_t on_input(std::string_view bytes);

    std::string output;        // to be sent, after `wait`
    Millis wait{0};            // to be kept before sending output and going on; reset by the driver
    bool closing = false;      // close after output
    bool aborting = false;     // end the connection with a reset
    bool has_message = false;  // message is complete; reset by the driver
    SinkMessage message;
    std::string log;  // a line for the log, if any; reset by the driver

  private:
    std::size_t on_content(std::string_view bytes);
    void on_line(std::string_view line);
    // False when the options have answered for it.
    bool permitted(std::string_view name);
    void answer(std::string_view name, std::string_view line);
    void answer_ehlo();
    void end_of_data();
    void reply(std::string_view text);
    void keep(std::string_view bytes);
    std::string_view status(std::string_view with) const;

    const SinkOptions& options_;
    SinkCounters& counters_;
    Random& random_;
    std::string line_;  // the beginning of a command
    bool in_data_ = false;
    std::string tail_;  // the last bytes of content: where a cut end may begin
    int recipients_ = 0;
};

}  // namespace postern::commands
