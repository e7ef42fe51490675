// Verifications: hands what became of probes to the verify service, a few at a time. What does not
// arrive is asked about again by whoever wants to know.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "lib/ipc/client.h"
#include "lib/ipc/messages/verify.h"
#include "lib/loop/loop.h"

namespace postern::qmgr {

class Verifications {
  public:
    using Done = std::function<void(const Result<void>&)>;

    Verifications(loop::Loop& loop, std::string path, Millis timeout)
        : client_(loop, std::move(path)), timeout_(timeout) {}

    // Calls back once, never from inside.
    void tell(ipc::VerifyUpdate news, Done done);

    // Nothing is told, or waits to be.

  private:
    struct Waiting {
        ipc::VerifyUpdate news;
        Done done;
    };
    void pump();

    static constexpr std::size_t kUnderWay = 10;

    ipc::Client client_;
    Millis timeout_;
    std::deque<Waiting> waiting_;
    std::size_t under_way_ = 0;
};

}  // namespace postern::qmgr
