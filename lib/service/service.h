// What every daemon's main() does: arguments, configuration, log, sockets from master, sandbox, status,
// wake-ups, reload and drain. A program picks one of three styles and gives a factory for its logic;
// main.cc is then a dozen lines:
//
//     int main(int argc, char** argv) {
//         return postern::service::run_worker(argc, argv, [](const Context& context) { return Policy::create(context); });
//     }
//
// Daemons are started by master only. The working directory is queue_directory.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/config/config.h"
#include "lib/ipc/channel.h"
#include "lib/loop/loop.h"
#include "lib/sys/sandbox.h"

#include "lib/service/key_files.h"

namespace postern::service {

struct Context {
    const config::Config& config;      // with this service's -o; lives as long as the process
    const config::Snapshot& snapshot;  // the texts it was made from
    std::string service;           // master.cf name: "smtp", "submission", "policy"
    std::string program;           // "smtpd"
    bool verbose = false;          // -v
    const KeyFiles& keys;          // certificates and keys that master read for us
};

// --- Worker: one connection at a time, straight-line code. Many processes share the listening socket, and
// any free one takes the next connection.
class Worker {
  public:
    virtual ~Worker() = default;
    enum class Conversation : unsigned char {
        over,
        // The peer may ask again: serve() is called when it does. Until then the worker is idle, and hangs
        // up when somebody else calls: a question is not tied to a worker by a long-lived connection.
        goes_on
    };
    // A conversation, or one question of it. Must return soon. The channel may be moved from (a worker that
    // passes the connection on).
    virtual Conversation serve(ipc::Channel& channel) = 0;
    virtual void on_wakeup() {}  // master.cf's wakeup column
    // What it has learnt would be lost with the process: it does not leave for max_idle or max_use.
    virtual bool keeps_state() const { return false; }
};
using WorkerFactory = std::function<Result<std::unique_ptr<Worker>>(const Context&)>;
int run_worker(int argc, char** argv, const WorkerFactory& make);

// --- Loop service: many peers in one process, nothing blocks.
class LoopService {
  public:
    virtual ~LoopService() = default;
    // A new connection, non-blocking: TCP for inet services, SEQPACKET from an allowed peer for others.
    // Call LoopContext::session_ended once when its session is over.
    virtual void on_connection(Fd socket) = 0;
    virtual void on_wakeup() {}
    // Nothing new comes any more; end what can be ended politely. The process exits when no session is left
    // and busy() is false.
    virtual void drain() {}
    // After drain(): the whole system stops; sessions have a few seconds. A reload does not call it.
    virtual void stop() {}
    virtual bool busy() const { return false; }  // work of its own besides sessions
    // After how many simultaneous sessions this process stops accepting.
    virtual std::size_t session_limit() const { return SIZE_MAX; }
};
struct LoopContext : Context {
    loop::Loop& loop;
    std::function<void()> session_ended;
    // A session that came another way than by on_connection(): it counts until session_ended().
    std::function<void()> session_began = {};
};
using LoopFactory = std::function<Result<std::unique_ptr<LoopService>>(const LoopContext&)>;
int run_loop(int argc, char** argv, const LoopFactory& make);

// --- Forking service: the parent forks, reading nothing; a child serves one connection and exits. For
// programs that become their user. Two children are forked ahead of their connections (spare.h). In a child
// SIGTERM, which comes when the system stops, is blocked: sys::stop_signal() makes it a descriptor.
class Forked {
  public:
    virtual ~Forked() = default;
    virtual void serve(ipc::Channel channel) = 0;  // in the child
};
using ForkedFactory = std::function<Result<std::unique_ptr<Forked>>(const Context&)>;
int run_forking(int argc, char** argv, const ForkedFactory& make);

// For a program that confines itself after becoming its user: its home (or Maildir) and nothing else.
// An mbox that is the INBOX needs its folder, for the lock file beside it.
// `more`: what of others' it may use.
Result<void> restrict_to_home(const std::string& home, const std::string& also = {},
                              const std::string& inbox_file = {},
                              const std::vector<sys::PathRule>& more = {});

}  // namespace postern::service
