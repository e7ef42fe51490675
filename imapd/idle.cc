// IDLE, RFC 2177: waits for the client's DONE and tells meanwhile what happens in the mailbox. The
// folder is watched by inotify; where that cannot be had, it is looked at once a second (four
// stats).
#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::imapd {
namespace {

constexpr std::size_t kMaxIdleLine = 1000;
constexpr Millis kLongestPause{1000};
constexpr Millis kNudge{500};
constexpr std::string_view kTooLong = "(too long)";

}  // namespace

struct Session::IdleTimes {
    Deadline silence;                          // the client must say something until then
    Deadline keepalive;                        // then we do,
    bool mute = false;                         // unless there is nothing to nudge the client for
    Deadline quiet = Deadline::in(Millis{0});  // no look at the folder before
    Deadline awake;                            // then it hibernates, where it can
    bool untidy = false;                       // tidy() has more to do
};

void Session::idle(std::string_view tag) {
    const Fd watch = notifications_ ? Fd() : watch_selected();
    if (selected_) selected_->source.forget();  // may be idle for hours
    out_.write("+ idling\r\n");
    const std::size_t bare = out_.waiting();
    if (selected_ && !is_silent())
        synchronize(mailbox::Expunges::report, true);  // what came before the watch stood
    idling_ = true;
    idle_on(tag, watch, out_.waiting() != bare);
    idling_ = false;
}

Fd Session::watch_selected() {
    if (!selected_) return {};
    auto watch = selected_->mailbox.watch();
    if (watch) return *std::move(watch);
    const bool too_many = watch.error().sys == EMFILE;
    log::warning(options_.trace,
                 cat({watch.error().what,
                      ": this session looks at its folder once a second, and keeps its process",
                      too_many ? " (raise fs.inotify.max_user_instances)" : ""}));
    return {};
}

void Session::idle_on(std::string_view tag, const Fd& watch, bool has_news) {
    out_.flush();
    const bool untidy = tidy(watch.get(), Deadline::in(kTidyBetweenNews));
    ::malloc_trim(0);  // thousands of processes sit here
    // Thunderbird (153 at least) takes as many bytes from its decompression as came compressed, and
    // then waits for more to come: news right behind "+ idling" may be left there. What we say a
    // little later has it look again.
    const bool nudges = connection_.is_compressed();
    IdleTimes times{Deadline::in(options_.idle_timeout),
                    Deadline::in(nudges ? std::min(kNudge, options_.keepalive) : options_.keepalive),
                    nudges && !has_news,
                    Deadline::in(Millis{0}),
                    Deadline::in(options_.hibernate_after),
                    untidy};
    while (!over_ && !out_.failed()) {
        out_.flush();
        if (!idle_step(watch.get(), times)) {
            const auto line = take_idle_line();
            if (!line) continue;
            if (!iequals(*line, "DONE")) return finish_bad(tag, "Expected DONE.");
            return finish(tag, Reply::ok("Idle completed."));
        }
        if (times.keepalive.passed()) {
            if (!std::exchange(times.mute, false)) out_.write("* OK Still here\r\n");
            times.keepalive = Deadline::in(options_.keepalive);
        }
        if (times.silence.passed()) {
            out_.write("* BYE Disconnected for inactivity.\r\n");
            return end("idle for too long");
        }
        if (connection_.stopped()) return end(std::string(connection_.stop_reason()));
        if (times.untidy && times.quiet.passed())
            times.untidy = tidy(watch.get(), Deadline::in(kTidyBetweenNews));
        if (!is_drowsy(watch.get(), times) || !times.awake.passed()) continue;
        const bool settled = settle(watch.get());
        out_.flush();
        if (over_ || out_.failed()) continue;
        if (!settled)
            times.awake = Deadline::in(kLongestPause);
        else if (!hibernate(tag, watch.get(), times.silence.left()))
            options_.sleeper = nullptr;  // this session stays awake
    }
}

// May it hibernate, when it is time? Not in the middle of a line, nor of a deflate stream, not with
// searches that go on, and not where nobody would notice a delivery.
bool Session::is_drowsy(int watch, const IdleTimes& times) const {
    return options_.sleeper != nullptr && options_.hibernate_after > Millis{0} &&
           !connection_.is_compressed() && !connection_.has_input() && idle_line_.empty() &&
           !(selected_ && selected_->contexts) && !notifications_ && (watch >= 0 || !selected_) &&
           !times.untidy && times.quiet.passed() &&
           (options_.indexer == nullptr || !options_.indexer->is_running());
}

// Waits for one event. False: the client has spoken. After a look at the folder there is a pause in
// proportion to what the look cost, so that a burst of deliveries into a large folder takes no more
// than a fifth of a processor.
bool Session::idle_step(int watch, IdleTimes& times) {
    if (notifications_) watch = notifications_->watch.fd();
    const bool pausing = !times.quiet.passed();
    Millis wait = std::min(times.silence.left(), times.keepalive.left());
    if (selected_ && watch < 0) wait = std::min(wait, options_.poll_interval);
    if (pausing) wait = std::min(wait, times.quiet.left());
    if (!pausing && times.untidy) wait = Millis{0};
    if (is_drowsy(watch, times)) wait = std::min(wait, times.awake.left());
    const auto woken = connection_.wait(pausing ? -1 : watch, Deadline::in(wait));
    if (woken == Connection::Woken::input) return false;
    if (pausing || (!selected_ && !notifications_) ||
        (woken == Connection::Woken::nothing && watch >= 0))
        return true;
    if (watch >= 0 && !notifications_) mailbox::Mailbox::drain_watch(watch);
    const auto start = SystemClock::instance().steady();
    if (notifications_)
        tell_notifications();
    else
        synchronize(mailbox::Expunges::report, true);
    if (out_.waiting() > 0) times.mute = false;
    const auto cost = std::chrono::ceil<Millis>(SystemClock::instance().steady() - start);
    times.quiet = Deadline::in(std::min(cost * 4, kLongestPause));
    times.awake = Deadline::in(options_.hibernate_after);
    return true;
}

// --- Hibernation

// Does what this session puts off, and looks. False: it has written something itself (a folder that
// changed within the last second is looked at again and again), which would wake it. What others do
// after the last look stays in the watch, which login gets.
bool Session::settle(int watch) {
    constexpr int kRounds = 2;
    for (int round = 0; selected_ && round < kRounds && !over_; ++round) {
        for (auto more = selected_->view->tidy(); more && *more;) more = selected_->view->tidy();
        selected_->view->flush_cache();
        mailbox::Mailbox::drain_watch(watch);
        synchronize(mailbox::Expunges::report, true);
        if (connection_.wait(watch, Deadline::in(Millis{0})) != Connection::Woken::other)
            return true;
    }
    return !selected_;
}

bool Session::hibernate(std::string_view tag, int watch, Millis silence_left) {
    SleepState state;
    state.tag = tag;
    if (selected_) {
        state.folder = selected_->name;
        state.read_only = selected_->view->read_only();
        state.view = selected_->view->state();
        state.saved_result = selected_->saved_result;
    }
    state.condstore = enabled_.condstore;
    state.qresync = enabled_.qresync;
    state.rev2 = enabled_.rev2;
    state.utf8 = enabled_.utf8;
    state.uid_only = enabled_.uid_only;
    state.bytes_in = connection_.bytes_in();
    state.bytes_out = connection_.bytes_out();
    hibernates_ = options_.sleeper->sleep(state, connection_.fd(), watch, silence_left);
    if (hibernates_) end("hibernates");
    return hibernates_;
}

// Goes on in IDLE where another process left off. False: it cannot be told what happened since.
bool Session::wake_up(const SleepState& state) {
    enabled_ = {state.condstore, state.qresync, state.rev2, state.utf8, state.uid_only};
    Fd watch;
    if (!state.folder.empty()) {
        auto box = store_.mailbox(state.folder);
        if (!box || !mailbox::has_right(rights_of(state.folder), 'r')) return false;
        if (auto fd = box->watch()) watch = std::move(*fd);
        auto view =
            box->open(state.read_only ? mailbox::Access::read_only : mailbox::Access::read_write);
        if (!view) return false;
        selected_.emplace(state.folder, *box, std::move(*view));
        selected_->announced_keywords = state.view.keywords;
        refresh_rights();
        selected_->saved_result = state.saved_result;
        const auto changes = selected_->view->resume(state.view);
        if (!changes) log::warning(options_.trace, changes.error().what);
        if (!changes || !*changes) return false;
        announce(**changes);
    }
    idle_on(state.tag, watch, true);
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
