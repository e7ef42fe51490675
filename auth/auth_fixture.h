// For the tests of this folder: a users file, and a service with real conversations.
#pragma once

#include <unistd.h>

#include <fstream>

#include "auth/auth_service.h"
#include "lib/ipc/channel.h"
#include "lib/log/log.h"
#include "lib/sasl/server_exchange.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/temp_folder.h"

namespace postern::auth {

inline SessionId session_id() {
    return SessionId::make(SystemClock::instance(), SystemRandom::instance());
}

class UsersTest : public testing::Test {
  protected:
    UsersTest() {
        options_.passwd_file = folder_.path() + "/users";
        options_.mailbox_path = "$home/Maildir";
        options_.own_uid = 990;
        options_.own_gid = 991;
    }
    void write(const std::string& text) {
        // As "postern user" does: a new file takes the old one's place.
        std::ofstream(options_.passwd_file + ".new") << text;
        ASSERT_EQ(::rename((options_.passwd_file + ".new").c_str(), options_.passwd_file.c_str()),
                  0);
    }
    support::TempFolder folder_;
    UserOptions options_;
};

// u1 with the password "secret", and one whose entry makes no sense.
class ServiceTest : public UsersTest {
  protected:
    void SetUp() override {
        log::open_capture();
        write("u1:{PLAIN}secret:1001:1002::/home/u1\nbad:{NOPE}x:1001:1002::/home/u1\n");
        Options options;
        options.users = options_;
        options.failure_delay = delay_;
        options.drops_domain = drops_domain_;
        options.bearer = bearer_;
        service_ = std::make_unique<AuthService>(loop_, options, SystemRandom::instance(),
                                                 [this] { ++ended_; });
    }
    void TearDown() override { (void)log::take_captured(); }

    ipc::Channel connect(bool may_redeem = false) {
        auto ends = sys::packet_pair().value();
        service_->serve(std::move(ends.second), may_redeem);
        return ipc::Channel(std::move(ends.first));
    }
    template <class Answer, class Question>
    Result<Answer> ask(ipc::Channel& channel, const Question& question) {
        TRY(channel.send(question, Deadline::in(Seconds{30})));
        bool ready = false;
        loop::Watch watch(loop_, channel.fd(), [&] {
            ready = true;
            loop_.stop();
        });
        watch.want_read(true);
        loop_.run_for(Seconds{20});
        if (!ready) return Error{Errc::timeout, "no answer"};
        return channel.receive<Answer>(Deadline::in(Seconds{30}));
    }
    ipc::AuthRequest request(const std::string& user, const std::string& password) {
        ipc::AuthRequest r;
        r.session = session_;
        r.protocol = ipc::AuthProtocol::imap;
        r.mechanism = "PLAIN";
        r.client_address = "127.0.0.1";
        r.has_response = true;
        r.response = sasl::make_plain(user, password);
        return r;
    }

    loop::Loop loop_;
    Millis delay_{0};
    bool drops_domain_ = false;
    TokenOptions bearer_;
    SessionId session_ = session_id();
    std::unique_ptr<AuthService> service_;
    int ended_ = 0;
};

}  // namespace postern::auth
