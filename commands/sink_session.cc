#include "commands/sink_session.h"

#include <algorithm>
#include <utility>

namespace postern::commands {
namespace {

constexpr std::size_t kMaxLine = 2048;
// What is kept of a message for a dump file.
constexpr std::size_t kMaxContent = 64u << 20;
constexpr std::string_view kEnd = "\r\n.\r\n";

// "MAIL FROM:<x>" -> "MAIL".
std::string_view verb(std::string_view line) {
    std::size_t end = line.find_first_of(" \t");
    return line.substr(0, end);
}

std::string_view arguments(std::string_view line) {
    std::string_view name = verb(line);
    return trim(line.substr(name.size()));
}

}  // namespace

SinkSession::SinkSession(const SinkOptions& options, SinkCounters& counters, Random& random)
    : options_(options), counters_(counters), random_(random) {}

void SinkSession::on_connect() {
    ++counters_.sessions;
    if (!permitted("CONNECT")) return;
    if (options_.pix_greeting) {
        reply("220 ********");
    } else {
        reply(cat({"220 ", options_.hostname, options_.esmtp ? " ESMTP" : ""}));
    }
}

std::size_t SinkSession::on_input(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && wait == Millis{0} && !closing && !aborting && !has_message) {
        std::string_view rest = bytes.substr(used);
        if (in_data_) {
            used += on_content(rest);
            continue;
        }
        std::size_t end = rest.find('\n');
        std::string_view part = rest.substr(0, end);
        used += end == std::string_view::npos ? part.size() : end + 1;
        if (end != std::string_view::npos && line_.empty()) {
            on_line(trim_right(part));
            continue;
        }
        line_.append(part.substr(0, kMaxLine - std::min(kMaxLine, line_.size())));
        if (end == std::string_view::npos) break;
        std::string line = std::exchange(line_, {});
        on_line(trim_right(line));
    }
    return used;
}

// RFC 5321 4.1.1.4: only CRLF "." CRLF ends the content. The end may be cut in two by the network.
std::size_t SinkSession::on_content(std::string_view bytes) {
    if (!tail_.empty()) {
        std::size_t head = std::min(bytes.size(), kEnd.size() - 1);
        std::string joint = tail_ + std::string(bytes.substr(0, head));
        if (std::size_t at = joint.find(kEnd); at != std::string::npos) {
            std::size_t used = at + kEnd.size() - tail_.size();
            keep(bytes.substr(0, used));
            end_of_data();
            return used;
        }
    }
    std::size_t at = bytes.find(kEnd);
    if (at != std::string_view::npos) {
        keep(bytes.substr(0, at + kEnd.size()));
        end_of_data();
        return at + kEnd.size();
    }
    keep(bytes);
    tail_ += bytes.substr(bytes.size() - std::min(bytes.size(), kEnd.size() - 1));
    if (tail_.size() > kEnd.size() - 1) tail_.erase(0, tail_.size() - (kEnd.size() - 1));
    return bytes.size();
}

void SinkSession::keep(std::string_view bytes) {
    if (!options_.keep_content || message.content.size() > kMaxContent) return;
    message.content += bytes;
}

void SinkSession::end_of_data() {
    in_data_ = false;
    tail_.clear();
    int replies = options_.lmtp ? recipients_ : 1;  // RFC 2033 4.2
    bool taken = false;
    for (int i = 0; i < replies && !closing; ++i) {
        if (permitted(".")) {
            taken = true;
            reply(status("250 2.0.0 Ok"));
        }
    }
    if (taken) {
        ++counters_.messages;
        has_message = options_.keep_content;
    }
    recipients_ = 0;
}

bool SinkSession::permitted(std::string_view name) {
    if (options_.log.contains(name)) log = name;
    if (auto delay = options_.delays.find(name); delay != options_.delays.end()) {
        if (delay->second.odds <= 1 || random_.next() % delay->second.odds == 0) {
            wait = delay->second.time;
        }
    }
    if (options_.disconnect.contains(name)) {
        ++counters_.drops;
        closing = true;
        return false;
    }
    if (options_.refuse_and_close.contains(name)) {
        ++counters_.drops;
        reply(cat({"421 ", options_.enhanced_status ? "4.0.0 " : "", "Server closing connection"}));
        closing = true;
        return false;
    }
    if (options_.hard_reject.contains(name)) {
        reply(options_.hard_reply);
        return false;
    }
    if (options_.soft_reject.contains(name)) {
        reply(options_.soft_reply);
        return false;
    }
    return true;
}

void SinkSession::on_line(std::string_view line) {
    std::string name = to_upper(verb(line));
    if (name.empty()) return reply(status("500 5.5.2 Error: bad syntax"));
    if (permitted(name)) answer(name, line);
}

void SinkSession::answer(std::string_view name, std::string_view line) {
    if (name == "EHLO" || name == "LHLO" || name == "HELO") {
        if ((name == "LHLO") != options_.lmtp || (name == "EHLO" && !options_.esmtp)) {
            return reply(status("500 5.5.1 Error: unknown command"));
        }
        message.protocol = name == "HELO" ? "SMTP" : name == "LHLO" ? "LMTP" : "ESMTP";
        message.helo = arguments(line);
        if (name != "HELO") return answer_ehlo();
        return reply(cat({"250 ", options_.hostname}));
    }
    if (name == "MAIL") {
        message.mail_arguments = arguments(line);
        message.recipients.clear();
        message.content.clear();
        recipients_ = 0;
        return reply(status("250 2.1.0 Ok"));
    }
    if (name == "RCPT") {
        ++recipients_;
        if (options_.keep_content)
            message.recipients += cat({"X-Rcpt-Args: ", arguments(line), "\n"});
        return reply(status("250 2.1.5 Ok"));
    }
    if (name == "DATA") {
        if (options_.abort_after_data) {
            aborting = true;
            return;
        }
        reply("354 End data with <CR><LF>.<CR><LF>");
        in_data_ = true;
        tail_ = "\r\n";  // a "." line may come first
        if (options_.read_delay > Millis{0}) wait = options_.read_delay;
        return;
    }
    if (name == "RSET" || name == "NOOP" || name == "VRFY" || name == "XCLIENT" ||
        name == "XFORWARD") {
        return reply(status("250 2.0.0 Ok"));
    }
    if (name == "AUTH") return reply(status("235 2.7.0 Authentication successful"));
    if (name == "QUIT") {
        ++counters_.quits;
        reply(status("221 2.0.0 Bye"));
        closing = true;
        return;
    }
    reply(status("500 5.5.1 Error: unknown command"));
}

void SinkSession::answer_ehlo() {
    std::string text = cat({"250-", options_.hostname, "\r\n"});
    auto offer = [&text](bool on, std::string_view keyword) {
        if (on) text += cat({"250-", keyword, "\r\n"});
    };
    offer(options_.pipelining, "PIPELINING");
    offer(options_.eight_bit_mime, "8BITMIME");
    offer(options_.auth, "AUTH PLAIN LOGIN");
    offer(options_.xclient, "XCLIENT NAME HELO");
    offer(options_.xforward, "XFORWARD NAME ADDR PROTO HELO");
    offer(options_.enhanced_status, "ENHANCEDSTATUSCODES");
    offer(options_.dsn, "DSN");
    offer(options_.smtputf8, "SMTPUTF8");
    reply(cat({text, "250 "}));
}

// Without ENHANCEDSTATUSCODES "250 2.1.0 Ok" becomes "250 Ok".
std::string_view SinkSession::status(std::string_view with) const {
    if (options_.enhanced_status) return with;
    if (with.starts_with("250 ")) return "250 Ok";
    if (with.starts_with("221 ")) return "221 Bye";
    if (with.starts_with("235 ")) return "235 Ok";
    return "500 Error: unknown command";
}

void SinkSession::reply(std::string_view text) {
    output += text;
    output += "\r\n";
}

}  // namespace postern::commands
