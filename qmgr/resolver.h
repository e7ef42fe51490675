// Resolver: asks trivial-rewrite where a recipient goes. Several questions are under way at once,
// equal ones are asked once, and an answer is remembered for a second, because mail comes in
// bursts.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/base/result.h"
#include "lib/ipc/client.h"
#include "lib/ipc/messages/route.h"
#include "lib/loop/loop.h"

namespace postern::qmgr {

class Resolver {
  public:
    // Called exactly once, maybe from inside resolve() when the answer is remembered.
    using Done = std::function<void(const Result<ipc::ResolveAnswer>&)>;

    struct Limits {
        Millis timeout{60'000};
        Millis retry{1'000};           // after no answer
        unsigned attempts = 3;         // then the recipient is deferred
        std::size_t outstanding = 16;  // questions under way
        std::size_t remembered = 1000;
        Millis remember{1'000};
    };

    Resolver(loop::Loop& loop, std::string path, Limits limits);

    // `probe`: by the address_verify_* parameters.
    void resolve(const std::string& sender, const std::string& recipient, bool probe, Done done);
    std::size_t outstanding() const { return under_way_; }

  private:
    struct Question {
        ipc::ResolveRequest request;
        std::vector<Done> waiting;
        unsigned attempts = 0;
    };
    struct Known {
        SteadyTime until{};
        ipc::ResolveAnswer answer;
    };

    void pump();
    void ask(const std::string& key);
    void answered(const std::string& key, Result<ipc::ResolveAnswer> answer);
    void remember(const std::string& key, const ipc::ResolveAnswer& answer);

    loop::Loop& loop_;
    Limits limits_;
    ipc::Client client_;
    loop::Timer retry_timer_;
    std::unordered_map<std::string, Question> questions_;  // waiting or under way
    std::deque<std::string> waiting_;
    std::deque<std::string> retrying_;
    std::unordered_map<std::string, Known> known_;
    std::size_t under_way_ = 0;
};

}  // namespace postern::qmgr
