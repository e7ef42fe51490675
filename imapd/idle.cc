// IDLE, RFC 2177: waits for the client's DONE and tells meanwhile what happens in the mailbox. The
// folder is watched by inotify; where that cannot be had, it is looked at once a second (four
// stats).
#include <algorithm>

#include "imapd/session.h"
#include "lib/base/strings.h"

namespace postern::imapd {
namespace {

constexpr std::size_t kMaxIdleLine = 1000;
constexpr std::string_view kTooLong = "(too long)";

}  // namespace

void Session::idle(std::string_view tag) {
    Fd watch;
    if (selected_) {
        if (auto fd = selected_->mailbox.watch()) watch = std::move(*fd);
        selected_->source.forget();  // may be idle for hours
    }
    out_.write("+ idling\r\n");
    if (selected_) synchronize(mailbox::Expunges::report);  // what came before the watch stood
    const Deadline silence = Deadline::in(options_.idle_timeout);
    Deadline keepalive = Deadline::in(options_.keepalive);
    while (!over_ && !out_.failed()) {
        out_.flush();
        if (!idle_step(watch.get(), silence)) {
            const auto line = take_idle_line();
            if (!line) continue;
            if (!iequals(*line, "DONE")) return finish_bad(tag, "Expected DONE.");
            return finish(tag, Reply::ok("Idle completed."));
        }
        if (silence.passed()) {
            out_.write("* BYE Disconnected for inactivity.\r\n");
            return end("idle for too long");
        }
        if (keepalive.passed()) {
            out_.write("* OK Still here\r\n");
            keepalive = Deadline::in(options_.keepalive);
        }
    }
}

// Waits for one event. False: the client has spoken.
bool Session::idle_step(int watch, const Deadline& silence) {
    Millis wait = std::min(silence.left(), options_.keepalive);
    if (selected_ && watch < 0) wait = std::min(wait, options_.poll_interval);
    const auto woken = connection_.wait(watch, Deadline::in(wait));
    if (woken == Connection::Woken::input) return false;
    if (woken == Connection::Woken::other) mailbox::Mailbox::drain_watch(watch);
    const bool look = selected_ && (woken == Connection::Woken::other || watch < 0);
    if (look) synchronize(mailbox::Expunges::report);
    return true;
}

// The line that the client has sent, or nothing while it is incomplete. Ends the session when the
// connection is closed.
std::optional<std::string> Session::take_idle_line() {
    auto input = connection_.input(Deadline::in(options_.idle_timeout));
    if (!input) {
        end(input.error().what);
        return std::nullopt;
    }
    const auto at = input->find('\n');
    idle_line_.append(input->substr(0, std::min(at, kMaxIdleLine)));
    connection_.consume(at == std::string_view::npos ? input->size() : at + 1);
    if (idle_line_.size() > kMaxIdleLine) idle_line_ = kTooLong;
    if (at == std::string_view::npos) return std::nullopt;
    std::string line(trim(idle_line_));
    idle_line_.clear();
    return line;
}

}  // namespace postern::imapd
