// Bouncer: see bouncer.h.
#include "qmgr/bouncer.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "lib/base/strings.h"

namespace postern::qmgr {

Bouncer::Bouncer(loop::Loop& loop, std::string path, Millis timeout)
    : loop_(loop), client_(loop, std::move(path)), timeout_(timeout) {}

void Bouncer::queue(Waiting call) {
    waiting_.push_back(std::move(call));
    pump();
}

void Bouncer::pump() {
    while (under_way_ < kUnderWay && !waiting_.empty()) {
        std::function<void()> start = std::move(waiting_.front().start);
        waiting_.pop_front();
        ++under_way_;
        start();
    }
}

void Bouncer::finish(const Result<ipc::BounceDone>& answer, const Done& done) {
    --under_way_;
    if (!answer) {
        done(answer.error());
    } else if (!answer->ok) {
        done(Error{Errc::temporary, cat({"bounce service: ", answer->text})});
    } else {
        done(Result<void>());
    }
    pump();
}

std::function<void()> Bouncer::appending(ipc::BounceAppend record, Done done) {
    return [this, record = std::move(record), done = std::move(done)] {
        client_.call<ipc::BounceDone>(
            record, timeout_,
            [this, done](Result<ipc::BounceDone> answer) { finish(answer, done); },
            record.queue_id.str());
    };
}

void Bouncer::append(ipc::BounceAppend record, Done done) {
    queue({appending(std::move(record), std::move(done)), nullptr});
}

bool Bouncer::note(ipc::BounceAppend record, Done done) {
    const bool waits = under_way_ == kUnderWay;
    if (waits && (!notes_may_wait_ || waiting_.size() >= kMaxNotes)) return false;
    queue({appending(std::move(record), done), done});
    return true;
}

void Bouncer::drop_notes() {
    notes_may_wait_ = false;
    const auto notes = std::stable_partition(waiting_.begin(), waiting_.end(),
                                             [](const Waiting& one) { return !one.dropped; });
    const std::vector<Waiting> dropped(std::make_move_iterator(notes),
                                       std::make_move_iterator(waiting_.end()));
    waiting_.erase(notes, waiting_.end());
    for (const Waiting& note : dropped) note.dropped(Error{Errc::closed, "left out"});
}

void Bouncer::send(ipc::BounceSend request, std::function<Result<int>()> descriptor, Done done) {
    auto sending = [this, request = std::move(request), descriptor = std::move(descriptor),
                    done = std::move(done)] {
        Result<int> file = descriptor();
        if (!file) {
            loop_.post([this, done, error = file.error()] { finish(error, done); });
            return;
        }
        std::array<int, 1> descriptors{*file};
        client_.call<ipc::BounceDone>(
            request, timeout_,
            [this, done](Result<ipc::BounceDone> answer) { finish(answer, done); },
            request.queue_id.str(), descriptors);
    };
    queue({std::move(sending), nullptr});
}

}  // namespace postern::qmgr
