// HashPool: password hashes take milliseconds to a second of CPU, so the loop hands them to forked
// processes that do nothing else: they read a stored form and a password from their socket, say yes
// or no (or what SCRAM derives from it), and hold no file and no right. A worker that dies makes
// its question "temporary" and is replaced.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/loop/loop.h"
#include "lib/sasl/scram.h"

namespace postern::auth {

class HashPool {
  public:
    static constexpr std::size_t kMaxQueued = 1000;
    using Done = std::function<void(Result<bool>)>;  // fits or not; an error is "try later"

    HashPool(loop::Loop& loop, std::size_t limit) : loop_(loop), limit_(limit) {}
    ~HashPool();
    HashPool(const HashPool&) = delete;
    HashPool& operator=(const HashPool&) = delete;

    // Calls back later, exactly once, unless the pool is destroyed before. Wipes the password it is
    // given.
    void verify(std::string stored, std::string password, Done done);
    // What SCRAM would store for that password, likewise.
    using Derived = std::function<void(Result<sasl::ScramSecret>)>;
    void derive(crypto::Digest digest, std::string salt, std::string password, Derived done);

    std::size_t workers() const { return workers_.size(); }

  private:
    using Answered = std::function<void(Result<std::string>)>;
    struct Job {
        std::string packet;
        Answered done;
    };
    struct Worker {
        Fd socket;
        std::unique_ptr<loop::Watch> watch;
        std::unique_ptr<loop::Timer> timeout;
        int pid = -1;
        bool busy = false;
        Answered done;
    };

    void enqueue(Job job);
    void dispatch();
    Worker* idle_worker();
    Result<void> start_worker();
    void give(Worker& worker, Job job);
    void on_answer(Worker& worker);
    void finish(Worker& worker, Result<std::string> answer);
    void remove(Worker& worker);

    loop::Loop& loop_;
    std::size_t limit_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::deque<Job> queue_;
};

// What a worker process answers to one packet. 'v', stored form, NUL, password: "y" or "n". 'd',
// digest, sizes of salt and password, salt, password: "d" and the two keys of SCRAM. "e" when the
// stored form is unusable or the packet makes no sense.
std::string answer_packet(std::string_view packet);

}  // namespace postern::auth
