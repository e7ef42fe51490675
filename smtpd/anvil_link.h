// AnvilLink: a process's connection to anvil, which counts its clients. Answers come in the order
// of the questions. A connection that ends (a reload) is made again, and what it left unanswered is
// asked once more: the anvil that may have counted it is gone. Without anvil there are no limits.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/anvil.h"
#include "lib/loop/loop.h"

namespace postern::smtpd {

class AnvilLink {
  public:
    using Done = std::function<void(Result<ipc::AnvilAnswer>)>;

    AnvilLink(loop::Loop& loop, std::string path);
    AnvilLink(const AnvilLink&) = delete;
    AnvilLink& operator=(const AnvilLink&) = delete;

    // `done` is called exactly once, never from inside ask(). Not for `disconnect`.
    void ask(const ipc::AnvilQuestion& question, Done done);
    // Which connection this is: sessions of an earlier one are forgotten.
    std::uint64_t epoch() const { return epoch_; }
    // A session that was begun in that epoch is over.
    void session_over(const std::string& service, const std::string& client, std::uint64_t epoch);

  private:
    struct Waiting {
        ipc::AnvilQuestion question;
        Done done;
        bool repeated = false;
    };

    Result<void> send(const ipc::AnvilQuestion& question);
    void on_packet(const ipc::Packet& packet);
    void on_closed(Error why);
    void repeat();
    void give_up(Error why);

    loop::Loop& loop_;
    const std::string path_;
    std::unique_ptr<ipc::LoopChannel> channel_;
    std::deque<Waiting> waiting_;
    std::uint64_t epoch_ = 0;
    loop::Timer patience_;  // runs while somebody waits
};

}  // namespace postern::smtpd
