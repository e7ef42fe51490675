#include "lib/smtp/delivery_options.h"

#include <gtest/gtest.h>

#include "lib/smtp/server_session.h"

namespace postern::smtp {
namespace {

TEST(DeliveryOptions, Priority) {
    const std::pair<const char*, int> good[] = {
        {"0", 0}, {"9", 9}, {"-9", -9}, {"3", 3}, {"-1", -1}};
    for (const auto& [text, value] : good) EXPECT_EQ(parse_priority(text), value) << text;
    for (const char* text : {"", "-", "-0", "+1", "10", "-10", "01", "a", "1 ", "1.0"})
        EXPECT_FALSE(parse_priority(text)) << text;
}

TEST(DeliveryOptions, HoldFor) {
    EXPECT_EQ(parse_hold_for("0"), Seconds{0});
    EXPECT_EQ(parse_hold_for("999999999"), Seconds{999'999'999});
    for (const char* text : {"", "-1", "1000000000", "1h", " 1"})
        EXPECT_FALSE(parse_hold_for(text)) << text;
}

// A client of the engine that only says EHLO and MAIL.
struct Client {
    ServerOptions options;
    std::optional<ServerSession> session;

    Client() { options.hostname = "mail.test"; }
    ServerSession& s() {
        if (!session) session.emplace(options);
        return *session;
    }
    std::string line(std::string_view text) {
        const Action action = s().on_line(text);
        const auto* say = std::get_if<Say>(&action);
        return say ? say->text : "nothing";
    }
};

// RFC 6710: raised by those only whom we know.
TEST(DeliveryOptions, PrioritiesOfASession) {
    const struct {
        bool privileged;
        const char* option;
        const char* reply;
        int granted;
    } cases[] = {
        {true, "MT-PRIORITY=9", "250 2.1.0 Ok", 9},
        {true, "mt-priority=-9", "250 2.1.0 Ok", -9},
        {false, "MT-PRIORITY=1", "250 2.3.6 0 is the new priority of the message", 0},
        {false, "MT-PRIORITY=-1", "250 2.1.0 Ok", -1},
        {false, "MT-PRIORITY=0", "250 2.1.0 Ok", 0},
        {true, "MT-PRIORITY=10", "501 5.5.4 Bad MT-PRIORITY parameter syntax", 0},
        {true, "MT-PRIORITY=1 MT-PRIORITY=2", "501 5.5.4 Bad MT-PRIORITY parameter syntax", 0},
        {true, "MT-PRIORITY", "555 5.5.4 Unsupported option: MT-PRIORITY", 0},
    };
    for (const auto& c : cases) {
        Client t;
        t.options.mt_priority = true;
        ClientRules rules;
        rules.privileged = c.privileged;
        t.s().set_rules(rules);
        EXPECT_NE(t.line("EHLO x").find("MT-PRIORITY\r\n"), std::string::npos);
        EXPECT_EQ(t.line(std::string("MAIL FROM:<a@b.test> ") + c.option),
                  std::string(c.reply) + "\r\n");
        EXPECT_EQ(t.s().envelope().priority, c.granted) << c.option;
    }
    Client hidden;
    hidden.options.mt_priority = true;
    hidden.options.hidden_keywords = {"MT-PRIORITY"};
    hidden.line("EHLO x");
    EXPECT_EQ(hidden.line("MAIL FROM:<a@b.test> MT-PRIORITY=1").substr(0, 4), "555 ");
}

// RFC 4865.
TEST(DeliveryOptions, FutureReleaseOfASession) {
    const WallTime now{Seconds{1'796'117'400}};  // 2026-12-01T09:30:00Z
    const struct {
        const char* option;
        const char* reply;
        std::int64_t release;  // seconds from now; -1: at once
    } cases[] = {
        {"HOLDFOR=60", "250 2.1.0 Ok", 60},
        {"HOLDFOR=0", "250 2.1.0 Ok", -1},
        {"HOLDFOR=3600", "250 2.1.0 Ok", 3600},
        {"HOLDFOR=3601", "501 5.5.4 Future release is too far away", -1},
        {"HOLDUNTIL=2026-12-01T09:31:00Z", "250 2.1.0 Ok", 60},
        {"HOLDUNTIL=2026-12-01T11:31:00+02:00", "250 2.1.0 Ok", 60},
        {"HOLDUNTIL=2020-01-01T00:00:00Z", "250 2.1.0 Ok", -1},
        {"HOLDUNTIL=2026-12-01T10:30:01Z", "501 5.5.4 Future release is too far away", -1},
        {"HOLDFOR=1 HOLDUNTIL=2026-12-01T09:31:00Z", "501 5.5.4 Bad HOLDUNTIL parameter syntax",
         -1},
        {"HOLDUNTIL=tomorrow", "501 5.5.4 Bad HOLDUNTIL parameter syntax", -1},
    };
    for (const auto& c : cases) {
        Client t;
        t.options.future_release_limit = Seconds{3600};
        t.options.now = [now] { return now; };
        ClientRules rules;
        rules.privileged = true;
        t.s().set_rules(rules);
        EXPECT_NE(t.line("EHLO x").find("FUTURERELEASE 3600 2026-12-01T10:30:00Z\r\n"),
                  std::string::npos);
        EXPECT_EQ(t.line(std::string("MAIL FROM:<a@b.test> ") + c.option),
                  std::string(c.reply) + "\r\n");
        const WallTime expected = c.release < 0 ? WallTime{} : now + Seconds{c.release};
        EXPECT_EQ(t.s().envelope().release, expected) << c.option;
    }
    Client stranger;
    stranger.options.future_release_limit = Seconds{3600};
    stranger.line("EHLO x");
    EXPECT_EQ(stranger.line("MAIL FROM:<a@b.test> HOLDFOR=1"),
              "530 5.7.0 Authentication required for future release\r\n");
    EXPECT_EQ(stranger.line("MAIL FROM:<a@b.test>"), "250 2.1.0 Ok\r\n");
    Client off;
    off.line("EHLO x");
    EXPECT_EQ(off.line("MAIL FROM:<a@b.test> HOLDFOR=1").substr(0, 4), "555 ");
}

}  // namespace
}  // namespace postern::smtp
