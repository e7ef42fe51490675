// WorkerLink: what remains in login of a client that a worker has: the connection of the hand-off.
// A worker whose client has sat in IDLE for a while sends the client back through it with a sealed
// state (ipc::Hibernate) and ends. From then on the client costs a few descriptors here. When it
// speaks, or something happens in its folder, another worker gets it with that state. login reads
// neither the state nor the folder: the worker has made, as the user, the descriptor that tells.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/ipc/client.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/login.h"
#include "lib/ipc/messages/sessions.h"
#include "lib/loop/loop.h"

#include "login/logged_in.h"
#include "login/wake_slots.h"

namespace postern::login {

class WorkerLink final : public std::enable_shared_from_this<WorkerLink> {
  public:
    using OnChange = std::function<void(const ipc::SessionFacts&)>;

    // `client.handoff`: the one that the worker has accepted. `on_change`: at each change of what is
    // known of the session, the last being that it is over. `ended` is called once, when there is
    // nothing left to keep; the link may be destroyed on a later turn.
    WorkerLink(loop::Loop& loop, ipc::Client& worker, WakeSlots& slots, Millis handoff_timeout,
               LoggedIn client, OnChange on_change, std::function<void(WorkerLink*)> ended);

    void start();
    // The system stops: a client that sleeps is told.
    void stop();
    // An operator wants it to end: its worker says so to the client, or, when it sleeps, we do.
    void dismiss();
    const std::string& id() const { return handoff_.session.str(); }

  private:
    void listen(Fd connection);  // to the worker
    void on_packet(ipc::Packet packet);
    void on_hung_up();
    void fall_asleep(const ipc::Hibernate& message, std::vector<Fd> descriptors);
    void on_client();
    void wake(const char* why);
    void hand_over();
    void on_awake(Result<ipc::HandoffAnswer> answer, Fd connection);
    void still_here();
    void farewell(std::string_view text, std::string_view reason);
    void doze();  // watches the client and its folder
    void change(ipc::SessionState state, std::uint32_t worker);
    void finish();

    loop::Loop& loop_;
    ipc::Client& worker_;
    WakeSlots& slots_;
    Millis handoff_timeout_;
    ipc::Handoff handoff_;
    ipc::SessionFacts facts_;
    std::string about_;
    Fd connection_;  // until start()
    Fd dismissal_;   // an eventfd that the worker watches
    OnChange on_change_;
    std::function<void(WorkerLink*)> ended_;
    std::unique_ptr<ipc::LoopChannel> channel_;  // while a worker has the client
    // While it sleeps:
    Fd client_, folder_;
    std::unique_ptr<loop::Watch> client_watch_, folder_watch_;
    std::unique_ptr<loop::Timer> silence_, keepalive_, retry_;
    Millis between_keepalives_{0};
    SteadyTime silent_until_;
    int attempts_ = 0;
    bool waking_ = false;
    bool dismissed_ = false;  // while it wakes up
};

}  // namespace postern::login
