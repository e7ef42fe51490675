#include "lib/config/config.h"

#include <unistd.h>

#include <fstream>

#include "lib/sys/fs.h"

namespace postern::config {
namespace {

class FakeHost final : public Host {
  public:
    std::string name() const override { return host_name; }
    std::vector<InterfaceAddress> addresses() const override {
        return {{"127.0.0.1", 8, false},
                {"192.0.2.2", 24, false},
                {"10.1.2.3", 30, false},
                {"::1", 128, true},
                {"fd00::2", 64, true}};
    }
    std::string host_name = "mail.example.com";
};

Config parsed(std::string_view text, const Overrides& overrides = {}) {
    auto config = Config::parse(text, overrides, FakeHost());
    if (!config) ADD_FAILURE() << config.error().what;
    return config ? std::move(*config) : *Config::parse("", {}, FakeHost());
}

TEST(Params, EveryRowHasDocumentationAndIsFound) {
    ASSERT_GT(rows().size(), 200u);
    for (const Row& row : rows()) {
        EXPECT_FALSE(row.documentation.empty()) << row.name;
        EXPECT_EQ(find_row(row.name), &row);
    }
    EXPECT_EQ(find_row("no_such"), nullptr);
    EXPECT_EQ(find_row(""), nullptr);
    EXPECT_EQ(find_row("zzz"), nullptr);
}

TEST(Params, ServiceSuffix) {
    ASSERT_NE(find_service_suffix("my_destination_recipient_limit"), nullptr);
    EXPECT_EQ(find_service_suffix("my_destination_recipient_limit")->fallback,
              "default_destination_recipient_limit");
    EXPECT_EQ(find_service_suffix("my_recipient_limit")->fallback, "default_recipient_limit");
    EXPECT_EQ(find_service_suffix("_recipient_limit"), nullptr);
    EXPECT_EQ(find_service_suffix("something"), nullptr);
    for (const ServiceSuffix& suffix : service_suffixes()) {
        EXPECT_NE(find_row(suffix.fallback), nullptr) << suffix.fallback;
    }
}

TEST(Config, Defaults) {
    Config config = parsed("");
    EXPECT_EQ(config.get(param::smtpd_timeout), Seconds(300));
    EXPECT_EQ(config.get(param::message_size_limit), 10240000u);
    EXPECT_EQ(config.get(param::smtpd_hard_error_limit), 20u);
    EXPECT_TRUE(config.get(param::smtpd_delay_reject));
    EXPECT_EQ(config.get(param::syslog_name), "postfix");
    EXPECT_EQ(config.get(param::mynetworks_style), "host");
    EXPECT_EQ(config.get(param::smtpd_relay_restrictions),
              (std::vector<std::string>{"permit_mynetworks", "permit_sasl_authenticated",
                                        "defer_unauth_destination"}));
    EXPECT_EQ(config.get(param::relay_domains), std::vector<std::string>{});
}

TEST(Config, Values) {
    Config config = parsed(
        "smtpd_timeout = 2m\nmaximal_queue_lifetime = 3\nmyhostname = mx.example.org\n"
        "smtpd_banner = $myhostname says ${stress?{no}:{hello}}\nminimal_backoff_time = 100ms\n"
        "stress = yes\n");
    EXPECT_EQ(config.get(param::smtpd_timeout), Seconds(120));
    EXPECT_EQ(config.get(param::maximal_queue_lifetime), std::chrono::hours(72));
    EXPECT_EQ(config.get(param::minimal_backoff_time), Millis(100));
    EXPECT_EQ(config.get(param::smtpd_banner), "mx.example.org says no");
    EXPECT_EQ(config.get(param::mydomain), "example.org");
    EXPECT_EQ(config.get(param::smtpd_hard_error_limit), 1u);
    EXPECT_EQ(config.text("myhostname"), "mx.example.org");
    EXPECT_EQ(config.text("no_such_name"), "");
    EXPECT_TRUE(config.is_set("stress"));
    EXPECT_FALSE(config.is_set("smtpd_error_sleep_time"));
}

TEST(Config, TemplatesKeepTheirNames) {
    EXPECT_EQ(parsed("luser_relay = $user@other").get(param::luser_relay), "$user@other");
}

TEST(Config, Overrides) {
    Config config =
        parsed("smtpd_timeout = 2m\n", {{"smtpd_timeout", "5s"}, {"service_name", "submission"}});
    EXPECT_EQ(config.get(param::smtpd_timeout), Seconds(5));
    EXPECT_EQ(config.get(param::service_name), "submission");
    auto other = config.with({{"smtpd_timeout", "7s"}});
    ASSERT_TRUE(other.has_value());
    EXPECT_EQ(other->get(param::smtpd_timeout), Seconds(7));
    EXPECT_EQ(config.get(param::smtpd_timeout), Seconds(5));
    EXPECT_FALSE(config.with({{"smtpd_timeout", "soon"}}).has_value());
}

TEST(Config, ErrorsNamePlaceAndRemedy) {
    struct Case {
        const char* text;
        const char* message;
    };
    const Case cases[] = {
        {"\nsmtpd_timeout = soon\n",
         "/main.cf, line 2: smtpd_timeout: bad value \"soon\": expected a whole number and a unit "
         "(ms, s, "
         "m, h, d or w), from 1s to 86400s"},
        {"smtpd_delay_reject = perhaps\n",
         "/main.cf, line 1: smtpd_delay_reject: bad value \"perhaps\": expected yes or no"},
        {"smtpd_banner = $smtpd_banner\n",
         "/main.cf, line 1: smtpd_banner: refers to itself: $smtpd_banner -> $smtpd_banner"},
        {"my_destination_concurrency_limit = x\n",
         "/main.cf, line 1: my_destination_concurrency_limit: bad value \"x\": expected a whole "
         "number, "
         "at least 0"},
        {"stress = $$\nsmtpd_soft_error_limit = ${stress?{x}:{5}}\n", "bad value \"x\""},
        {"stress = ${\n", "missing }"},
    };
    for (const Case& c : cases) {
        auto config = Config::parse(c.text, {}, FakeHost());
        ASSERT_FALSE(config.has_value()) << c.text;
        EXPECT_THAT(config.error().what, testing::HasSubstr(c.message));
    }
}

TEST(Config, ServiceParameters) {
    Config config = parsed(
        "slow_destination_concurrency_limit = 1\nslow_destination_rate_delay = 2s\n"
        "default_destination_concurrency_limit = 9\n");
    auto limit = [&](std::string_view service) {
        return config.lookup_service_param(service, "_destination_concurrency_limit",
                                           param::default_destination_concurrency_limit);
    };
    EXPECT_EQ(limit("slow"), 1u);
    EXPECT_EQ(limit("smtp"), 9u);
    EXPECT_EQ(limit("local"), 2u);
    EXPECT_EQ(config.lookup_service_param("slow", "_destination_rate_delay",
                                          param::default_destination_rate_delay),
              Seconds(2));
    EXPECT_EQ(config.text("smtp_destination_concurrency_limit"), "9");
}

TEST(Config, HostDefaults) {
    Config config = parsed("");
    EXPECT_EQ(config.get(param::myhostname), "mail.example.com");
    EXPECT_EQ(config.get(param::mydomain), "example.com");
    EXPECT_EQ(config.get(param::mydestination),
              (std::vector<std::string>{"mail.example.com", "localhost.example.com", "localhost"}));
    EXPECT_EQ(config.text("mynetworks"),
              "127.0.0.1/32 192.0.2.2/32 10.1.2.3/32 [::1]/128 [fd00::2]/128");
    EXPECT_EQ(parsed("mynetworks_style = subnet").text("mynetworks"),
              "127.0.0.0/8 192.0.2.0/24 10.1.2.0/30 [::1]/128 [fd00::]/64");
    EXPECT_EQ(parsed("mynetworks_style = class\ninet_protocols = ipv4").text("mynetworks"),
              "127.0.0.0/8 192.0.2.0/24 10.0.0.0/8");
    EXPECT_EQ(parsed("mynetworks = 10.0.0.0/8").text("mynetworks"), "10.0.0.0/8");
}

TEST(Config, HostNameWithoutDomain) {
    FakeHost host;
    host.host_name = "vm";
    auto config = Config::parse("", {}, host);
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ(config->get(param::myhostname), "vm.localdomain");
    EXPECT_EQ(config->get(param::mydomain), "localdomain");
    config = Config::parse("mydomain = example.net", {}, host);
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ(config->get(param::myhostname), "vm.example.net");
}

TEST(Config, WarningsSuggest) {
    Config config = parsed(
        "smtpd_timout = 5s\nmy_own = 5\nmyorigin = $my_own\nsmtpd_restriction_classes = strict\n"
        "strict = reject\nslow_destination_rate_delay = 1s\nwhatever_else_this_is = 1\n"
        "myorigin = $my_own\n");
    auto warnings = config.warnings();
    ASSERT_EQ(warnings.size(), 3u);
    EXPECT_THAT(warnings[0], testing::EndsWith("main.cf, line 8: overriding earlier entry: myorigin=$my_own"));
    EXPECT_THAT(warnings[1],
                testing::EndsWith("main.cf, line 1: smtpd_timout: unknown parameter (did "
                                  "you mean smtpd_timeout?)"));
    EXPECT_THAT(warnings[2],
                testing::EndsWith("main.cf, line 7: whatever_else_this_is: unknown parameter"));
}

TEST(Config, ReadsDirectory) {
    std::string directory = testing::TempDir() + "config_test." + std::to_string(getpid());
    ASSERT_TRUE(sys::RealFs::instance().make_directory(directory, 0700).has_value());
    EXPECT_FALSE(Config::load(directory).has_value());
    EXPECT_FALSE(load_master(directory).has_value());
    std::ofstream(directory + "/main.cf") << "queue_directory = /q\n";
    std::ofstream(directory + "/master.cf") << "smtp inet n - n - - smtpd\n";
    auto config = Config::load(directory);
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ(config->get(param::queue_directory), "/q");
    EXPECT_EQ(config->get(param::config_directory), directory);
    EXPECT_EQ(config->get(param::auth_passwd_file), directory + "/users");
    auto master = load_master(directory);
    ASSERT_TRUE(master.has_value());
    EXPECT_EQ(master->entries().size(), 9u);
    for (const char* name : {"/main.cf", "/master.cf", ""}) {
        std::string path = directory + name;
        EXPECT_EQ(::remove(path.c_str()), 0);
    }
}

}  // namespace
}  // namespace postern::config
