// AuthDialogue: one exchange with auth, from a loop program: a request, and, as long as auth
// answers with challenges, the client's responses, all on one connection.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/ipc/client.h"
#include "lib/ipc/messages/auth.h"

namespace postern::ipc {

class AuthDialogue {
  public:
    using Done = std::function<void(Result<AuthAnswer>)>;

    // Each answer may take `timeout`.
    AuthDialogue(loop::Loop& loop, Client& auth, Millis timeout);
    ~AuthDialogue();  // an exchange that is under way is given up
    AuthDialogue(const AuthDialogue&) = delete;
    AuthDialogue& operator=(const AuthDialogue&) = delete;

    // `done` is called once, never from inside, unless the dialogue is dropped or begins anew
    // before.
    void begin(const AuthRequest& request, Done done);
    // After a challenge.
    void respond(std::string response, Done done);
    // The client gives it up.
    void drop() { exchange_.reset(); }

  private:
    struct Exchange;
    loop::Loop& loop_;
    Client& auth_;
    Millis timeout_;
    std::shared_ptr<Exchange> exchange_;
};

}  // namespace postern::ipc
