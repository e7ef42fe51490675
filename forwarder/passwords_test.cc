// Which password goes to whom, and by which mechanism.
#include "forwarder/passwords.h"

#include "lib/config/config.h"
#include "lib/service/key_files.h"

namespace postern::forwarder {
namespace {

constexpr std::string_view kMaps =
    "smtp_sasl_auth_enable = yes\n"
    "smtp_sasl_password_maps = inline:{{relay.test=host:secret:with:colons},"
    "{[relay.test]:587=hop:x},{dest.test=dest:y},{u@me.test=own:z},{@corp.test=corp:c},{bare.test="
    "name}}\n";

Result<SaslSettings> sasl_settings(std::string text) {
    auto config = config::Config::parse(text);
    EXPECT_TRUE(config) << config.error().what;
    return SaslSettings::from(*config, false, {});
}

TEST(Passwords, ByHostThenDestination) {
    Passwords passwords(*sasl_settings(std::string(kMaps)));
    auto login = passwords.find("u@me.test", "relay.test", "[relay.test]:587");
    ASSERT_TRUE(login.found());
    EXPECT_EQ(login->user, "host");
    EXPECT_EQ(login->password, "secret:with:colons");
    EXPECT_EQ(passwords.find("", "mx.dest.test", "dest.test")->user, "dest");
    EXPECT_EQ(passwords.find("", "10.0.0.1", "[relay.test]:587")->user, "hop");
    EXPECT_EQ(passwords.find("", "bare.test", "")->password, "");
    EXPECT_TRUE(passwords.find("u@me.test", "stranger.test", "[stranger.test]").not_found());
}

TEST(Passwords, BySender) {
    Passwords passwords(
        *sasl_settings(std::string(kMaps) + "smtp_sender_dependent_authentication = yes\n"));
    EXPECT_EQ(passwords.find("u@me.test", "relay.test", "x")->user, "own");
    EXPECT_EQ(passwords.find("who@corp.test", "relay.test", "x")->user, "corp");
    EXPECT_EQ(passwords.find("", "relay.test", "x")->user, "host");
}

TEST(Passwords, OffAndMistakes) {
    Passwords off(*sasl_settings("smtp_sasl_password_maps = static:u:p\n"));
    EXPECT_TRUE(off.find("", "relay.test", "x").not_found());
    EXPECT_FALSE(sasl_settings("smtp_sasl_auth_enable = yes\n"));
    EXPECT_FALSE(sasl_settings(std::string(kMaps) + "smtp_sasl_security_options = nosuch\n"));
    Passwords failing(
        *sasl_settings("smtp_sasl_auth_enable=yes\nsmtp_sasl_password_maps = fail:now\n"));
    EXPECT_TRUE(failing.find("", "relay.test", "x").failed());
}

TEST(Passwords, MechanismsByOptionsAndFilter) {
    struct Case {
        std::string text;
        smtp::Protection protection;
        std::string chosen;
    };
    const std::vector<std::string> offered = {"PLAIN", "LOGIN", "CRAM-MD5"};
    constexpr auto kNone = smtp::Protection::none, kTls = smtp::Protection::encrypted,
                   kKnown = smtp::Protection::verified;
    const Case cases[] = {
        {"", kNone, "CRAM-MD5"},
        {"smtp_sasl_mechanism_filter = plain, login\n", kNone, ""},  // noplaintext is the default
        {"smtp_sasl_mechanism_filter = plain, login\nsmtp_sasl_security_options = noanonymous\n",
         kNone, "PLAIN"},
        {"smtp_sasl_mechanism_filter = !cram-md5, plain\nsmtp_sasl_tls_security_options = "
         "noanonymous\n",
         kTls, "PLAIN"},
        {"smtp_sasl_mechanism_filter = !cram-md5, plain\nsmtp_sasl_tls_security_options = "
         "noanonymous\n",
         kNone, ""},
        {"smtp_sasl_mechanism_filter = login\nsmtp_sasl_security_options =\n", kNone, "LOGIN"},
        // noplaintext under TLS too, but for servers that have shown who they are
        {"smtp_sasl_mechanism_filter = plain\nsmtp_sasl_tls_verified_security_options =\n", kTls,
         ""},
        {"smtp_sasl_mechanism_filter = plain\nsmtp_sasl_tls_verified_security_options =\n", kKnown,
         "PLAIN"},
        {"smtp_sasl_mechanism_filter = plain\nsmtp_sasl_tls_security_options =\n", kKnown, "PLAIN"},
    };
    for (const Case& c : cases) {
        Passwords passwords(*sasl_settings(std::string(kMaps) + c.text));
        auto chosen = passwords.authenticator({"u", "p"})->choose(offered, c.protection);
        EXPECT_EQ(chosen ? *chosen : "", c.chosen) << c.text;
    }
}

TEST(Passwords, AuthorizationIdentity) {
    for (const bool sent : {false, true}) {
        Passwords passwords(*sasl_settings(std::string(kMaps) + "smtp_sasl_security_options =\n" +
                                           "send_cyrus_sasl_authzid = " + (sent ? "yes" : "no") +
                                           "\n"));
        auto login = passwords.authenticator({"u", "p"});
        ASSERT_TRUE(login->choose({"PLAIN"}, smtp::Protection::none));
        const std::string nul(1, '\0');
        EXPECT_EQ(login->initial_response(), (sent ? "u" : "") + nul + "u" + nul + "p");
    }
}

TEST(Passwords, BadOptionsForVerifiedServers) {
    EXPECT_FALSE(
        sasl_settings(std::string(kMaps) + "smtp_sasl_tls_verified_security_options = nosuch\n"));
}

TEST(Passwords, RefusalsHaveAnEnd) {
    Passwords off(*sasl_settings(std::string(kMaps)));
    EXPECT_EQ(off.refusal_key("relay.test", {"u", "p"}), "");
    Passwords passwords(*sasl_settings(std::string(kMaps) +
                                       "smtp_sasl_auth_cache_name = btree:/var/lib/x\n"
                                       "smtp_sasl_auth_cache_time = 10s\n"));
    const std::string key = passwords.refusal_key("Relay.test", {"u", "p"});
    EXPECT_EQ(key, passwords.refusal_key("relay.test", {"u", "p"}));
    EXPECT_NE(key, passwords.refusal_key("relay.test", {"u", "new"})) << "a new password is tried";
    EXPECT_NE(key, passwords.refusal_key("other.test", {"u", "p"}));
    const SteadyTime now{};
    EXPECT_EQ(passwords.known_refusal(key, now), nullptr);
    passwords.note_refusal(key, "5.7.8", "535 5.7.8 no", now);
    ASSERT_NE(passwords.known_refusal(key, now + Seconds{9}), nullptr);
    EXPECT_EQ(passwords.known_refusal(key, now + Seconds{9})->reply, "535 5.7.8 no");
    EXPECT_EQ(passwords.known_refusal(key, now + Seconds{10}), nullptr);
    EXPECT_EQ(passwords.known_refusal(key, now), nullptr) << "forgotten";
    passwords.note_refusal("", "5.7.8", "535", now);
    EXPECT_EQ(passwords.known_refusal("", now), nullptr);
}

}  // namespace
}  // namespace postern::forwarder
