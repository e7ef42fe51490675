#include "imapd/indexer.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "imapd/message_source.h"
#include "imapd/message_text.h"
#include "lib/base/strings.h"
#include "lib/fulltext/index.h"
#include "lib/log/log.h"
#include "lib/mailbox/private_place.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/stop_signal.h"

namespace postern::imapd {
namespace {

constexpr int kNice = 10;
constexpr Millis kLongestRun{30 * 60 * 1000};
constexpr Millis kAfterSession{5000};

// A message that cannot be read is one of which nothing is known: searches will read it, and tell.
Result<fulltext::MessageWords> words_of(MessageSource& source, std::uint32_t seq) {
    fulltext::MessageWords words;
    const auto seen = visit_texts(source, seq, true, [&](fulltext::Place place, const auto& text) {
        words.add(place, text);
        return words.given_up();
    });
    if (!seen && seen.error().code == Errc::not_found) return std::move(seen).error();
    if (!seen) words.give_up();
    return words;
}

}  // namespace

bool may_have_text_index(const mailbox::Mailbox& mailbox) {
    return !mailbox.environment().is_shared || mailbox.environment().private_place != nullptr;
}

std::string text_index_folder(const mailbox::Mailbox& mailbox, std::uint32_t uid_validity) {
    using mailbox::PrivatePlace;
    const auto& place = mailbox.environment().private_place;
    return place ? place->file(uid_validity, PrivatePlace::kTextIndex) : mailbox.path();
}

Result<std::uint32_t> update_index(const mailbox::Mailbox& mailbox,
                                   const std::function<bool()>& stop) {
    if (!may_have_text_index(mailbox)) return 0u;
    TRY_ASSIGN(const auto view, mailbox.open(mailbox::Access::read_only));
    const auto validity = view->uid_validity();
    if (const auto& place = mailbox.environment().private_place)
        TRY(place->make(validity, mailbox::PrivatePlace::kTextIndex));
    TRY_ASSIGN(auto writer, fulltext::IndexWriter::open(text_index_folder(mailbox, validity),
                                                        validity, view->count()));
    if (!writer) return 0u;
    MessageSource source(*view);
    std::uint32_t added = 0, committed = 0;
    mailbox::Uid last = writer->covered();
    for (std::uint32_t seq = view->seq_at_or_after(last + 1); seq <= view->count(); ++seq) {
        if (stop()) {
            // The next one goes on from here.
            if (added > committed) TRY(writer->commit(last));
            return added;
        }
        last = view->message(seq).uid;
        const auto words = words_of(source, seq);
        if (!words) continue;
        TRY(writer->add(last, *words));
        ++added;
        if (!writer->is_full()) continue;
        TRY(writer->commit(last));
        committed = added;
    }
    if (last > writer->covered()) TRY(writer->commit(last));
    return added;
}

void BackgroundIndexer::begin(const mailbox::Mailbox& mailbox) {
    if (is_running()) return;
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
    child_ = -1;
    const auto started = start(mailbox);
    if (!started) log::warning(trace_, started.error().what);
}

Result<void> BackgroundIndexer::start(const mailbox::Mailbox& mailbox) {
    TRY_ASSIGN(sys::Pipe pipe, sys::make_pipe());
    const pid_t session = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return sys::system_error("fork for the full-text index");
    if (pid == 0) be_child(mailbox, session);
    child_ = pid;
    alive_ = std::move(pipe.reading);
    return {};
}

void BackgroundIndexer::be_child(const mailbox::Mailbox& mailbox, pid_t session) const {
    for (const int fd : not_for_child_) ::close(fd);
    ::setpriority(PRIO_PROCESS, 0, kNice);
    const auto limit = Deadline::in(kLongestRun);
    const auto start = SystemClock::instance().steady();
    const auto added = update_index(mailbox, [&] {
        return limit.passed() || sys::is_stopped(stop_) || ::getppid() != session;
    });
    const auto took =
        std::chrono::duration_cast<Millis>(SystemClock::instance().steady() - start).count();
    if (!added)
        log::warning(trace_, added.error().what);
    else if (*added > 0)
        log::info(trace_, cat({"indexed: folder=", mailbox.path(), ", messages=",
                               std::to_string(*added), ", ms=", std::to_string(took)}));
    ::_exit(0);
}

bool BackgroundIndexer::is_running() const {
    if (!alive_) return false;
    const auto ended = sys::wait_ready(alive_.get(), sys::Ready::read, -1, Deadline::in(Millis{0}));
    return !ended && ended.error().code == Errc::timeout;
}

void BackgroundIndexer::finish() {
    if (child_ <= 0) return;
    const auto ended =
        sys::wait_ready(alive_.get(), sys::Ready::read, stop_, Deadline::in(kAfterSession));
    const bool has_time = !ended && ended.error().code == Errc::timeout;
    // The session's process ends now. A child that is not done sees that it has another parent,
    // keeps what it has, and ends too.
    if (!ended && !has_time) ::kill(child_, SIGTERM);
    if (!has_time) ::waitpid(child_, nullptr, 0);
    child_ = -1;
}

}  // namespace postern::imapd
