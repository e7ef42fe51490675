#include "commands/postern_who.h"

#include <sys/socket.h>

#include <filesystem>
#include <thread>

#include "lib/base/strings.h"
#include "lib/ipc/channel.h"
#include "lib/log/log.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/temp_folder.h"

namespace postern::commands {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Who, Arguments) {
    const auto good = parse_who({"-j", "-p", "imap", "-a", "192.0.2.0/24", "bob"}, true);
    ASSERT_TRUE(good) << good.error().what;
    EXPECT_TRUE(good->json);
    EXPECT_EQ(good->filter.protocol, "imap");
    EXPECT_EQ(good->filter.network, "192.0.2.0/24");
    EXPECT_EQ(good->filter.user, "bob");
    EXPECT_EQ(parse_who({"--", "-odd"}, true)->filter.user, "-odd");
    const struct {
        std::vector<std::string> words;
        bool may_print;
        const char* expected;
    } bad[] = {
        {{"-x"}, true, "unknown option: -x"},
        {{"-j"}, false, "unknown option: -j"},
        {{"-a"}, true, "-a needs a value"},
        {{"-p", ""}, true, "-p needs a value"},
        {{"-p", "nntp"}, true, "-p: \"nntp\" is no protocol"},
        {{"-a", "192.0.2.1/24"}, true, "-a: \"192.0.2.1/24\" is no address and no network"},
        {{"-s", "x"}, true, "-s: \"x\" is no session id"},
        {{"a", "b"}, true, "only one user can be named"},
        {{""}, true, "the user's name is empty"},
        {{std::string(1000, 'u')}, true, "the user's name is too long"},
    };
    for (const auto& one : bad) {
        const auto parsed = parse_who(one.words, one.may_print);
        ASSERT_FALSE(parsed) << one.expected;
        EXPECT_THAT(parsed.error().what, StartsWith(one.expected));
        EXPECT_THAT(parsed.error().what, HasSubstr("; usage: postern "));
    }
}

TEST(Who, Lines) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    ipc::SessionFacts facts;
    facts.session = *SessionId::parse("bbbbbbbbbbb1");
    facts.user = "bob\n\"x\"";
    facts.address = "192.0.2.1";
    facts.port = 1234;
    facts.service = "imaps";
    facts.security = ipc::SessionSecurity::tls;
    facts.state = ipc::SessionState::active;
    facts.worker = 99;
    facts.since = WallTime(Seconds{1'000'000'000});
    std::string words;
    const std::string shown = who_line(facts);
    for (const auto word : split_words(shown, " \n")) words += cat({word, " "});
    EXPECT_EQ(words,
              "bob?\"x\" imap 192.0.2.1 1234 TLS 2001-09-09 01:46:40 active 99 bbbbbbbbbbb1 ");
    EXPECT_EQ(who_json(facts),
              "{\"session\": \"bbbbbbbbbbb1\", \"user\": \"bob\\u000a\\\"x\\\"\", \"protocol\": "
              "\"imap\", \"service\": \"imaps\", \"address\": \"192.0.2.1\", \"port\": 1234, "
              "\"tls\": true, \"since\": 1000000000, \"state\": \"active\", \"pid\": 99}\n");
    facts.user.clear();
    facts.state = ipc::SessionState::logging_in;
    facts.worker = 0;
    EXPECT_THAT(who_line(facts), testing::AllOf(StartsWith("- "), HasSubstr(" login        -")));
    EXPECT_THAT(who_json(facts), HasSubstr("\"user\": null"));
    facts.user = std::string(ipc::kMaxUser, 'u');
    EXPECT_THAT(who_line(facts), HasSubstr("bbbbbbbbbbb1\n")) << "nothing is cut off";
}

// One after the other at one socket, as reloads have it: each but the last ends with the question.
class Anvils {
  public:
    Anvils(const std::string& path, int reloads, ipc::KickAnswer last)
        : listener_(sys::listen_unix(path, 0700).value()),
          thread_([this, reloads, last] {
              for (int i = 0; i < reloads; ++i) serve(std::nullopt);
              serve(last);
          }) {}
    ~Anvils() { thread_.join(); }
    Anvils(const Anvils&) = delete;
    Anvils& operator=(const Anvils&) = delete;

  private:
    void serve(std::optional<ipc::KickAnswer> answer) {
        const auto deadline = Deadline::in(Millis{30'000});
        ASSERT_TRUE(sys::wait_ready(listener_.get(), sys::Ready::read, deadline));
        ipc::Channel channel(Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK)));
        ASSERT_TRUE(channel.receive<ipc::KickRequest>(deadline));
        if (!answer) return;
        ASSERT_TRUE(channel.send(*answer, deadline));
    }
    Fd listener_;
    std::thread thread_;
};

TEST(Kick, SaysWhatIsKnown) {
    log::open_capture();
    const support::TempFolder folder;
    std::filesystem::create_directory(folder / "private");
    const auto config =
        config::Config::parse(cat({"queue_directory = ", folder.path(), "\n"})).value();
    const struct {
        int reloads;
        ipc::KickAnswer answer;
        int status;
        const char *printed, *logged;
    } cases[] = {
        {0, {2, 2}, 0, "2 of 2 sessions of bob ended\n", ""},
        {0, {2, 1}, 1, "1 of 2 sessions of bob ended\n", ""},
        {0, {0, 0}, 1, "", "no session of bob"},
        {1, {1, 1}, 0, "1 of 1 sessions of bob ended\n", ""},
        {2, {0, 0}, 0,
         "no session of bob is left; how many ended is not known: a reload came between\n", ""},
    };
    for (const auto& one : cases) {
        const Anvils anvils(folder / "private/anvil", one.reloads, one.answer);
        testing::internal::CaptureStdout();
        const auto done = kick(config, {"bob"});
        EXPECT_EQ(testing::internal::GetCapturedStdout(), one.printed);
        ASSERT_TRUE(done) << done.error().what;
        EXPECT_EQ(*done, one.status) << one.printed;
        EXPECT_THAT(log::take_captured(), HasSubstr(one.logged));
    }
}

}  // namespace
}  // namespace postern::commands
