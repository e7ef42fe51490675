// Limits of clients and users, and what operators see and do.
#include "login/login_fixture.h"

namespace postern::login {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(LoginTest, AnvilIsToldOfEachSession) {
    with_anvil_ = true;
    start();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    wait_told(" logging in");
    say(client, "a LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    wait_told("u1 active");
    say(client, "sleep\r\n");
    wait_told("u1 asleep");
    say(client, "DONE\r\n");
    EXPECT_THAT(line(client), StartsWith("awake"));
    EXPECT_EQ(line(client), "echo DONE");
    wait_told("u1 active");
    say(client, "quit\r\n");
    EXPECT_EQ(line(client), "echo quit");
    wait_told("u1 over");
}

TEST_F(LoginTest, OneConnectionTooMany) {
    const struct {
        ipc::AdmissionAnswer numbers;
        const char* parameter;
    } cases[] = {
        {{.logging_in = 4}, "4 connections without a login from 127.0.0.1, login_client_pending_limit = 3"},
        {{.count = 6}, "6 connections from 127.0.0.1, login_client_connection_count_limit = 5"},
        {{.rate = 8}, "8 connections in a unit of time from 127.0.0.1, login_client_connection_rate_limit = 7"},
    };
    with_anvil_ = true;
    start([](Options& options) { options.limits = {3, 5, 7, 0}; });
    for (const auto& one : cases) {
        *numbers_.lock() = one.numbers;
        auto client = connect();
        EXPECT_EQ(line(client), "* BYE [LIMIT] Too many connections from your address.");
        EXPECT_THAT(line(client), StartsWith("ERROR"));
        EXPECT_THAT(log::take_captured(), HasSubstr(one.parameter));
    }
    *numbers_.lock() = ipc::AdmissionAnswer{.logging_in = 3, .count = 5, .rate = 7};
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
}

TEST_F(LoginTest, OneSessionOfTheUserTooMany) {
    with_anvil_ = true;
    *numbers_.lock() = ipc::AdmissionAnswer{.of_user = 21};
    start([](Options& options) { options.limits.of_user = 20; });
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a LOGIN u1 secret\r\n");
    EXPECT_EQ(line(client),
              "a NO [LIMIT] Maximum number of connections from user and address exceeded "
              "(login_user_connection_count_limit = 20)");
    wait_told(" logging in");
    *numbers_.lock() = ipc::AdmissionAnswer{.of_user = 20};
    say(client, "b LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("b OK"));
}

TEST_F(LoginTest, TooSoonAfterTheLastLogin) {
    with_anvil_ = true;
    *numbers_.lock() = ipc::AdmissionAnswer{.of_user = 1, .too_soon = true};
    start([](Options& options) {
        options.protocol = ipc::AuthProtocol::pop3;
        options.limits.pop3_login_delay = Seconds{300};
    });
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("+OK"));
    say(client, "CAPA\r\n");
    std::string capabilities;
    for (std::string text; text != "."; capabilities += text + "\n") text = line(client);
    EXPECT_THAT(capabilities, HasSubstr("\nLOGIN-DELAY 300\n"));
    say(client, "USER u1\r\nPASS secret\r\n");
    EXPECT_EQ(line(client), "+OK");
    EXPECT_EQ(line(client), "-ERR [LOGIN-DELAY] The last login was less than 300 seconds ago (pop3_login_delay)");
    // What anvil admits once is not asked again when a hand-off has to be repeated.
    *numbers_.lock() = ipc::AdmissionAnswer{.of_user = 1};
    refusals_ = 1;
    say(client, "USER u1\r\nPASS secret\r\n");
    EXPECT_EQ(line(client), "+OK");
    EXPECT_EQ(line(client), " OK secured=yes pending=");
}

TEST_F(LoginTest, ExceptionsAndNoAnvil) {
    start([](Options& options) {
        options.limits = {1, 1, 1, 1};
        options.limits.exceptions = {*IpNetwork::parse("127.0.0.0/8")};
    });
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    EXPECT_THAT(log::take_captured(), testing::Not(HasSubstr("not limited")));
}

TEST_F(LoginTest, WithoutAnvilThereIsNoLimit) {
    start([](Options& options) { options.limits = {1, 1, 1, 1}; });
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    EXPECT_THAT(log::take_captured(), testing::AllOf(HasSubstr("this client is not limited"),
                                                     HasSubstr("this user is not limited")));
}

TEST_F(LoginTest, DismissedByAnOperator) {
    with_anvil_ = true;
    start(with_tls);
    auto stranger = connect();
    EXPECT_THAT(line(stranger), StartsWith("* OK"));
    *dismiss_.lock() = wait_told(" logging in");
    EXPECT_EQ(line(stranger), "* BYE Disconnected by the administrator.");
    wait_told(" over");
    for (const bool tls : {false, true}) {
        auto client = connect();
        EXPECT_THAT(line(client), StartsWith("* OK"));
        if (tls) {
            say(client, "a STARTTLS\r\n");
            EXPECT_THAT(line(client), StartsWith("a OK"));
            start_tls(client);
        }
        say(client, "a LOGIN u1 secret\r\n");
        EXPECT_THAT(line(client), StartsWith("a OK"));
        say(client, "wait for dismissal\r\n");
        *dismiss_.lock() = wait_told("u1 active");
        EXPECT_EQ(line(client), "dismissed");
        wait_told("u1 over");
    }
}

}  // namespace
}  // namespace postern::login
