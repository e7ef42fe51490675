#include "auth/failures.h"

#include <fstream>
#include <optional>

#include "auth/auth_service.h"
#include "lib/ipc/channel.h"
#include "lib/log/log.h"
#include "lib/sasl/server_exchange.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/temp_folder.h"

namespace postern::auth {
namespace {

class FailuresTest : public testing::Test {
  protected:
    void fail(int times, const std::string& user = "bob", const std::string& client = "192.0.2.1") {
        for (int i = 0; i < times; ++i) failures_.failed(client, user, now_);
    }
    long seconds(const std::string& user = "bob", const std::string& client = "192.0.2.1") {
        return failures_.delay(client, user, now_).count() / 1000;
    }
    SteadyTime now_{};
    Failures failures_{{.longest = Millis{15'000}, .memory = Millis{900'000}, .max = 100}};
};

TEST_F(FailuresTest, GrowWithEachOfTheUser) {
    for (const long expected : {0, 0, 0, 2, 4, 8, 15, 15}) {
        EXPECT_EQ(seconds(), expected);
        fail(1);
    }
    EXPECT_EQ(seconds("eve"), 0) << "another user from there";
    EXPECT_EQ(seconds("bob", "192.0.2.2"), 0) << "the user himself, from elsewhere";
}

TEST_F(FailuresTest, GrowWithManyOfAClient) {
    for (int i = 0; i < 9; ++i) fail(1, "u" + std::to_string(i));
    EXPECT_EQ(seconds(), 0);
    fail(1, "u9");
    EXPECT_EQ(seconds(), 2) << "whoever it is";
    for (int i = 10; i < 40; ++i) fail(1, "u" + std::to_string(i));
    EXPECT_EQ(seconds(), 15);
    fail(1000, "u40");
    EXPECT_EQ(seconds(), 15);
}

TEST_F(FailuresTest, ASuccessForgivesThisUserOnly) {
    fail(5);
    fail(6, "eve");
    failures_.succeeded("192.0.2.1", "bob");
    EXPECT_EQ(seconds(), 0);
    EXPECT_EQ(seconds("eve"), 15);
    fail(5, "bob");
    EXPECT_EQ(seconds("carl"), 2) << "eleven of this client again";
    failures_.succeeded("192.0.2.1", "bob");
    failures_.succeeded("192.0.2.1", "eve");
    EXPECT_EQ(failures_.size(), 0U);
    failures_.succeeded("192.0.2.1", "nobody");
}

TEST_F(FailuresTest, TimeForgives) {
    fail(6);
    now_ += Millis{900'000};
    EXPECT_EQ(seconds(), 15);
    now_ += Millis{1};
    EXPECT_EQ(seconds(), 0);
    EXPECT_EQ(failures_.size(), 0U);
}

TEST_F(FailuresTest, MemoryIsBounded) {
    fail(6);
    for (int i = 0; i < 1000; ++i) fail(1, "u", "198.51.100." + std::to_string(i));
    EXPECT_LE(failures_.size(), 102U);
    EXPECT_EQ(seconds(), 0) << "the oldest are forgotten first";
}

TEST_F(FailuresTest, ZeroIsNever) {
    Failures failures({.longest = Millis{0}});
    for (int i = 0; i < 20; ++i) failures.failed("192.0.2.1", "bob", now_);
    EXPECT_EQ(failures.delay("192.0.2.1", "bob", now_), Millis{0});
}

// --- In the service

class GuessedServiceTest : public testing::Test {
  protected:
    GuessedServiceTest() {
        log::open_capture();
        std::ofstream(folder_ / "users") << "u1:{PLAIN}secret:1001:1002::/home/u1\n";
        options_.users.passwd_file = folder_ / "users";
        options_.failure_delay = Millis{0};
        options_.failures.longest = kHeld;
    }
    // How long the answer took.
    Millis log_in(const std::string& password, const std::string& address = "127.0.0.1",
                  ipc::AuthProtocol protocol = ipc::AuthProtocol::imap) {
        ipc::AuthRequest request;
        request.protocol = protocol;
        request.mechanism = "PLAIN";
        request.client_address = address;
        request.response = sasl::make_plain("u1", password);
        return ask(std::move(request), password == "secret" ? ipc::AuthOutcome::success
                                                            : ipc::AuthOutcome::failure);
    }
    Millis ask(ipc::AuthRequest request, ipc::AuthOutcome expected) {
        if (!service_) service_.emplace(loop_, options_, SystemRandom::instance(), [] {});
        auto ends = sys::packet_pair().value();
        service_->serve(std::move(ends.second), false);
        ipc::Channel channel(std::move(ends.first));
        request.session = SessionId::make(loop_.clock(), SystemRandom::instance());
        request.has_response = true;
        const auto begin = loop_.clock().steady();
        EXPECT_TRUE(channel.send(request, Deadline::in(Seconds{30})));
        loop::Watch watch(loop_, channel.fd(), [this] { loop_.stop(); });
        watch.want_read(true);
        loop_.run_for(Seconds{20});
        const auto answer = channel.receive<ipc::AuthAnswer>(Deadline::in(Seconds{30}));
        EXPECT_TRUE(answer);
        EXPECT_TRUE(answer && answer->outcome == expected);
        return std::chrono::duration_cast<Millis>(loop_.clock().steady() - begin);
    }
    // Whether the log tells that an answer was held back, since it was last asked.
    static bool was_held() {
        return log::take_captured().find("answer is held back for 300 ms") != std::string::npos;
    }

    static constexpr Millis kHeld{300};
    support::TempFolder folder_;
    loop::Loop loop_;
    Options options_;
    std::optional<AuthService> service_;
};

TEST_F(GuessedServiceTest, AfterFailuresAnyAnswerIsHeldBackUntilASuccess) {
    for (int i = 0; i < 3; ++i) log_in("wrong");
    EXPECT_FALSE(was_held());
    EXPECT_GE(log_in("wrong"), kHeld - Millis{5});
    EXPECT_TRUE(was_held());
    log_in("wrong", "192.0.2.1", ipc::AuthProtocol::smtp);
    EXPECT_FALSE(was_held()) << "from elsewhere";
    EXPECT_GE(log_in("secret", "127.0.0.1", ipc::AuthProtocol::pop3), kHeld - Millis{5});
    EXPECT_TRUE(was_held()) << "haste would tell";
    log_in("wrong");
    EXPECT_FALSE(was_held()) << "the login has forgiven the others";
}

// The last message of SCRAM's server tells before the verdict does.
TEST_F(GuessedServiceTest, AnExchangeIsHeldBackAsSoonAsTheNameIsKnown) {
    for (int i = 0; i < 3; ++i) log_in("wrong");
    ipc::AuthRequest request;
    request.mechanism = "SCRAM-SHA-256";
    request.client_address = "127.0.0.1";
    request.response = "n,,n=u1,r=fyko+d2lbbFgONRv9qkxdawL";
    EXPECT_GE(ask(request, ipc::AuthOutcome::challenge), kHeld - Millis{5});
    EXPECT_TRUE(was_held());
}

TEST_F(GuessedServiceTest, ExceptedClientsAreNotCounted) {
    options_.failure_exceptions = {*IpNetwork::parse("127.0.0.0/8")};
    for (int i = 0; i < 5; ++i) log_in("wrong");
    EXPECT_FALSE(was_held());
}

}  // namespace
}  // namespace postern::auth
