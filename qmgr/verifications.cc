// Verifications: see verifications.h.
#include "qmgr/verifications.h"

#include <utility>

namespace postern::qmgr {

void Verifications::tell(ipc::VerifyUpdate news, Done done) {
    waiting_.push_back({std::move(news), std::move(done)});
    pump();
}

void Verifications::pump() {
    while (under_way_ < kUnderWay && !waiting_.empty()) {
        Waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        ++under_way_;
        client_.call<ipc::VerifyUpdated>(
            next.news, timeout_,
            [this, done = std::move(next.done)](const Result<ipc::VerifyUpdated>& answer) {
                --under_way_;
                if (answer && !answer->ok) {
                    done(Error{Errc::temporary, "verify service: the answer was not kept"});
                } else {
                    done(answer ? Result<void>() : Result<void>(answer.error()));
                }
                pump();
            });
    }
}

}  // namespace postern::qmgr
