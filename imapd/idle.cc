// IDLE, RFC 2177: waits for the client's DONE and tells meanwhile what happens in the mailbox. The
// folder is watched by inotify; where that cannot be had, it is looked at once a second (four
// stats).
#include <malloc.h>

#include <algorithm>
#include <chrono>

#include "imapd/session.h"
#include "lib/base/strings.h"

namespace postern::imapd {
namespace {

constexpr std::size_t kMaxIdleLine = 1000;
constexpr Millis kLongestPause{1000};
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
    out_.flush();
    tidy(watch.get());
    ::malloc_trim(0);  // thousands of processes sit here
    const Deadline silence = Deadline::in(options_.idle_timeout);
    Deadline quiet = Deadline::in(Millis{0});
    Deadline keepalive = Deadline::in(options_.keepalive);
    while (!over_ && !out_.failed()) {
        out_.flush();
        if (!idle_step(watch.get(), silence, quiet)) {
            const auto line = take_idle_line();
            if (!line) continue;
            if (!iequals(*line, "DONE")) return finish_bad(tag, "Expected DONE.");
            return finish(tag, Reply::ok("Idle completed."));
        }
        if (keepalive.passed()) {
            out_.write("* OK Still here\r\n");
            keepalive = Deadline::in(options_.keepalive);
        }
        if (silence.passed()) {
            out_.write("* BYE Disconnected for inactivity.\r\n");
            return end("idle for too long");
        }
        if (connection_.stopped()) return end("Server shutting down");
    }
}

// Waits for one event. False: the client has spoken. After a look at the folder there is a pause in
// proportion to what the look cost, so that a burst of deliveries into a large folder takes no more
// than a fifth of a processor.
bool Session::idle_step(int watch, const Deadline& silence, Deadline& quiet) {
    const bool pausing = !quiet.passed();
    Millis wait = std::min(silence.left(), options_.keepalive);
    if (selected_ && watch < 0) wait = std::min(wait, options_.poll_interval);
    if (pausing) wait = std::min(wait, quiet.left());
    const auto woken = connection_.wait(pausing ? -1 : watch, Deadline::in(wait));
    if (woken == Connection::Woken::input) return false;
    if (!selected_ || pausing || (woken == Connection::Woken::nothing && watch >= 0)) return true;
    if (watch >= 0) mailbox::Mailbox::drain_watch(watch);
    const auto start = SystemClock::instance().steady();
    synchronize(mailbox::Expunges::report, true);
    const auto cost = std::chrono::ceil<Millis>(SystemClock::instance().steady() - start);
    quiet = Deadline::in(std::min(cost * 4, kLongestPause));
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
