// Bouncer: qmgr's talk with the bounce service. Records and notifications wait in a queue, a few
// are under way at a time.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "lib/base/result.h"
#include "lib/ipc/client.h"
#include "lib/ipc/messages/bounce.h"
#include "lib/loop/loop.h"

namespace postern::qmgr {

class Bouncer {
  public:
    // Called exactly once, never from inside the call.
    using Done = std::function<void(Result<void>)>;

    Bouncer(loop::Loop& loop, std::string path, Millis timeout);

    // A record that must be on disk before the recipient is given up (bounce, trace).
    void append(ipc::BounceAppend record, Done done);
    // Advice for people (defer). False: left out, because too many wait; done is not called.
    bool note(ipc::BounceAppend record, Done done);
    // Notes that wait are left out, their callers hear of it now; from now on none may wait.
    void drop_notes();
    // Makes and submits a notification.
    // The descriptor is asked for when its turn comes.
    void send(ipc::BounceSend request, std::function<Result<int>()> descriptor, Done done);

    // Nothing is asked, or waits to be.
    bool is_idle() const { return under_way_ == 0 && waiting_.empty(); }

  private:
    static constexpr std::size_t kUnderWay = 8;
    static constexpr std::size_t kMaxNotes = 20'000;

    struct Waiting {
        std::function<void()> start;
        Done dropped;  // set for notes
    };

    void queue(Waiting call);
    std::function<void()> appending(ipc::BounceAppend record, Done done);
    void pump();
    void finish(const Result<ipc::BounceDone>& answer, const Done& done);

    loop::Loop& loop_;
    ipc::Client client_;
    Millis timeout_;
    std::deque<Waiting> waiting_;
    bool notes_may_wait_ = true;
    std::size_t under_way_ = 0;
};

}  // namespace postern::qmgr
