// Bouncer: see bouncer.h.
#include "qmgr/bouncer.h"

#include <array>
#include <utility>

#include "lib/base/strings.h"

namespace postern::qmgr {

Bouncer::Bouncer(loop::Loop& loop, std::string path, Millis timeout)
    : loop_(loop), client_(loop, std::move(path)), timeout_(timeout) {}

void Bouncer::queue(std::function<void()> start) {
    waiting_.push_back(std::move(start));
    pump();
}

void Bouncer::pump() {
    while (under_way_ < kUnderWay && !waiting_.empty()) {
        std::function<void()> start = std::move(waiting_.front());
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

void Bouncer::append(ipc::BounceAppend record, Done done) {
    queue([this, record = std::move(record), done = std::move(done)] {
        client_.call<ipc::BounceDone>(
            record, timeout_,
            [this, done](Result<ipc::BounceDone> answer) { finish(answer, done); },
            record.queue_id.str());
    });
}

bool Bouncer::note(ipc::BounceAppend record, Done done) {
    if (waiting_.size() >= kMaxNotes) return false;
    append(std::move(record), std::move(done));
    return true;
}

void Bouncer::send(ipc::BounceSend request, std::function<Result<int>()> descriptor, Done done) {
    queue([this, request = std::move(request), descriptor = std::move(descriptor),
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
    });
}

}  // namespace postern::qmgr
