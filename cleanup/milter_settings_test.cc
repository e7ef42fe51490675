// Lists of milters as people write them.
#include "cleanup/milter_settings.h"

namespace postern::cleanup {
namespace {

Result<MilterSettings> read(const std::string& list, const std::string& main_cf = "") {
    const auto config = config::Config::parse(main_cf);
    EXPECT_TRUE(config);
    return MilterSettings::from(*config, list);
}

TEST(MilterSettings, Lists) {
    const struct {
        const char* list;
        std::vector<std::string> names;
    } cases[] = {
        {"", {}},
        {"DISABLE", {}},
        {"inet:localhost:11332", {"inet:localhost:11332"}},
        {"inet:localhost:8891, unix:/run/opendmarc.sock",
         {"inet:localhost:8891", "unix:/run/opendmarc.sock"}},
        {"local:opendkim/opendkim.sock inet6:[::1]:1",
         {"local:opendkim/opendkim.sock", "inet6:[::1]:1"}},
        {"{ inet:127.0.0.1:1, default_action = accept }, inet:h:2",
         {"inet:127.0.0.1:1", "inet:h:2"}},
    };
    for (const auto& c : cases) {
        const auto settings = read(c.list);
        ASSERT_TRUE(settings) << c.list;
        std::vector<std::string> names;
        for (const auto& server : settings->servers) names.push_back(server.name);
        EXPECT_EQ(names, c.names) << c.list;
    }
    for (const char* bad :
         {"inet:localhost", "{ inet:h:1, colour = red }", "{ inet:h:1, default_action = maybe }",
          "{ inet:h:1, command_timeout = soon }", "{ inet:h:1, protocol }"}) {
        const auto settings = read(bad);
        EXPECT_FALSE(settings) << bad;
    }
}

TEST(MilterSettings, OneMayHaveItsOwn) {
    const auto settings = read(
        "inet:h:1 { unix:x, default_action=quarantine, command_timeout=2m, connect_timeout=5, "
        "content_timeout=1h, "
        "protocol=2 }",
        "milter_default_action = accept\nmilter_command_timeout = 7s\nmilter_protocol = 4\n"
        "milter_mail_macros = i mail_addr {auth_authen}\nmilter_macro_defaults = auth_type=TEST\n"
        "milter_macro_daemon_name = ORIGINATING\n");
    ASSERT_TRUE(settings);
    const auto& one = settings->servers.at(0);
    EXPECT_EQ(one.action, DefaultAction::accept);
    EXPECT_EQ(one.command_timeout, Millis(7'000));
    EXPECT_EQ(one.protocol, 4);
    const auto& other = settings->servers.at(1);
    EXPECT_EQ(other.action, DefaultAction::quarantine);
    EXPECT_EQ(other.command_timeout, Millis(120'000));
    EXPECT_EQ(other.connect_timeout, Millis(5'000));
    EXPECT_EQ(other.content_timeout, Millis(3'600'000));
    EXPECT_EQ(other.protocol, 2);
    EXPECT_THAT(settings->macros.at(milter::Stage::mail),
                testing::ElementsAre("i", "{mail_addr}", "{auth_authen}"));
    EXPECT_EQ(settings->defaults.at("{auth_type}"), "TEST");
    EXPECT_EQ(settings->daemon_name, "ORIGINATING");
    EXPECT_EQ(other.address()->path(), "x");
}

}  // namespace
}  // namespace postern::cleanup
