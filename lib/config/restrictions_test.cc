// The language of restriction lists, and what "postern check" finds wrong with them.
#include "lib/config/restrictions.h"

#include "lib/base/strings.h"

#include "lib/config/dns_list.h"
#include "lib/config/policy_service.h"
#include "lib/config/restriction_check.h"

namespace postern::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool no_class(std::string_view) { return false; }

// "name argument" of what is right, "! mistake" of what is not.
std::vector<std::string> read_list(std::string_view text) {
    std::vector<std::string> out;
    for (const auto& item :
         parse_restrictions(text, [](std::string_view name) { return name == "mine"; })) {
        out.push_back(item.check == Check::mistake ? "! " + item.mistake
                      : item.argument.empty()      ? item.name
                                                   : cat({item.name, " ", item.argument}));
    }
    return out;
}

TEST(Restrictions, WordsAndArguments) {
    EXPECT_THAT(
        read_list("permit_mynetworks,Reject_Unauth_Destination\n  mine hash:/x"),
        ElementsAre("permit_mynetworks", "Reject_Unauth_Destination", "mine", "hash:/x hash:/x"));
    EXPECT_THAT(read_list("{ check_sender_access hash:/x }, { sleep 3 }, "
                          "check_policy_service { unix:private/spf, { default_action = 450 x } } "
                          "reject_rbl_client bl.test=127.0.0.[2;4..6] check_client_ns_access "
                          "inline:{{ a = b }}"),
                ElementsAre("check_sender_access hash:/x", "sleep 3",
                            "check_policy_service { unix:private/spf, { default_action = 450 x } }",
                            "reject_rbl_client bl.test=127.0.0.[2;4..6]",
                            "check_client_ns_access inline:{{ a = b }}"));
    EXPECT_THAT(read_list(""), ElementsAre());
    EXPECT_THAT(read_list(" , {} { } \t"), ElementsAre("! unknown smtpd restriction: \"{}\""));
}

TEST(Restrictions, Mistakes) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"permit_mynetwork",
         "unknown smtpd restriction: \"permit_mynetwork\" (did you mean permit_mynetworks?)"},
        {"zzz", "unknown smtpd restriction: \"zzz\""},
        {"{ reject", "unknown smtpd restriction: \"{ reject\""},
        {"check_client_access", "check_client_access: type:table must follow, but the list ends"},
        {"check_client_access /etc/x",
         "check_client_access: bad argument \"/etc/x\": expected type:table"},
        {"sleep soon", "sleep: bad argument \"soon\": expected a number of seconds"},
        {"reject_rbl_client a.test=127.0",
         "reject_rbl_client: bad argument \"a.test=127.0\": "
         "expected a filter of four numbers"},
        {"reject_rbl_client =127.0.0.1",
         "reject_rbl_client: bad argument \"=127.0.0.1\": no domain"},
        {"check_policy_service { inet:h:1, timeout=x }",
         "check_policy_service: \"timeout=x\": expected a time, like 10s"},
        {"check_policy_service private/spf", "check_policy_service: bad server \"private/spf\""},
    };
    for (const auto& [text, mistake] : cases) {
        const auto list = parse_restrictions(text, no_class);
        ASSERT_EQ(list.size(), 1u) << text;
        EXPECT_EQ(list[0].check, Check::mistake) << text;
        EXPECT_THAT(list[0].mistake, HasSubstr(mistake));
    }
    // The next word is none of its business.
    const auto list = parse_restrictions("reject_rbl_client reject", no_class);
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].check, Check::mistake);
    EXPECT_EQ(list[1].check, Check::reject);
}

TEST(Restrictions, EveryWordIsFoundAndSaysWhatItNeeds) {
    for (const auto& word : restriction_words()) {
        EXPECT_EQ(find_restriction(to_upper(word.name)), &word);
        const auto alone = parse_restrictions(word.name, no_class);
        ASSERT_EQ(alone.size(), 1u);
        EXPECT_EQ(alone[0].check == Check::mistake, word.argument != Argument::nothing)
            << word.name;
    }
}

TEST(Restrictions, WhatStopsRelaying) {
    const auto stops = [](std::string_view text, std::string_view own = "") {
        const auto is_class = [](std::string_view name) { return name == "own"; };
        RestrictionClasses classes;
        classes.emplace("own", parse_restrictions(own, is_class));
        return stops_relaying(parse_restrictions(text, is_class), classes);
    };
    EXPECT_TRUE(stops("permit_mynetworks, reject_unauth_destination"));
    EXPECT_TRUE(stops("warn_if_reject reject, defer_unauth_destination"));
    EXPECT_TRUE(stops("own", "check_relay_domains"));
    EXPECT_FALSE(stops("permit_mynetworks"));
    EXPECT_FALSE(stops("permit, reject"));
    EXPECT_FALSE(stops("own, reject", "permit"));
    EXPECT_FALSE(stops("warn_if_reject reject"));
    EXPECT_FALSE(stops("own", "own"));
    EXPECT_FALSE(stops(""));
}

TEST(PolicyService, Attributes) {
    const auto full = PolicyService::parse(
        "{ inet:h:1, timeout=10s, { default_action = 450 4.7.1 later }, max_idle=5, "
        "request_limit=7 }");
    ASSERT_TRUE(full.has_value());
    EXPECT_EQ(full->address, "inet:h:1");
    EXPECT_EQ(full->timeout, Millis{10'000});
    EXPECT_EQ(full->max_idle, Millis{5'000});
    EXPECT_EQ(full->default_action, "450 4.7.1 later");
    EXPECT_EQ(full->request_limit, 7u);
    EXPECT_FALSE(full->try_limit);
    EXPECT_EQ(PolicyService::parse("127.0.0.1:10023")->address, "127.0.0.1:10023");
    for (const auto* bad : {"", "{}", "{ inet:h:1", "unix:", "inet:h", "{ inet:h:1, x=1 }",
                            "{ inet:h:1, try_limit=0 }", "{ inet:h:1, timeout }"})
        EXPECT_FALSE(PolicyService::parse(bad).has_value()) << bad;
}

class SomeHost final : public Host {
  public:
    std::string name() const override { return "mail.example.com"; }
    std::vector<InterfaceAddress> addresses() const override { return {{"127.0.0.1", 8, false}}; }
};

std::vector<std::string> found(std::string_view main_cf, std::string_view master_cf) {
    std::vector<std::string> out;
    for (const auto& problem :
         examine_restrictions({"/c", std::string(main_cf), std::string(master_cf)}, SomeHost())
             .problems)
        out.push_back(cat({problem.error ? "E " : "W ", problem.str()}));
    return out;
}

constexpr std::string_view kGuarded = "smtpd_relay_restrictions = reject_unauth_destination\n";

TEST(RestrictionCheck, NamesFileLineParameterAndWord) {
    EXPECT_THAT(
        found(cat({kGuarded,
                   "smtpd_client_restrictions =\n"
                   "  permit_mynetworks\n"
                   "# a comment with reject_foo\n"
                   "  reject_foo,\n"
                   "  check_client_access\n"
                   "smtpd_sender_restrictions = reject, reject_bar\n"
                   "smtpd_restriction_classes = one, two, three\n"
                   "one = two\n"
                   "two = one, $three\n"}),
              "smtp inet n - n - - smtpd\n"
              "587 inet n - n - - smtpd\n"
              "  -o smtpd_client_restrictions=permit_sasl_authenticate,reject\n"
              "pickup unix n - n - - pickup -o smtpd_client_restrictions=q\n"),
        testing::UnorderedElementsAre(
            "E /c/main.cf, line 5: smtpd_client_restrictions: unknown smtpd restriction: "
            "\"reject_foo\"",
            "E /c/main.cf, line 6: smtpd_client_restrictions: check_client_access: type:table must "
            "follow, but the list ends",
            "W /c/main.cf, line 7: smtpd_sender_restrictions: restriction \"reject_bar\" after "
            "\"reject\" is ignored",
            "W /c/main.cf, line 7: smtpd_sender_restrictions: unknown smtpd restriction: "
            "\"reject_bar\"",
            "E /c/main.cf, line 9: one: this restriction class contains itself",
            "E /c/main.cf, line 10: two: this restriction class contains itself",
            "E /c/main.cf, line 8: smtpd_restriction_classes: restriction class \"three\" needs a "
            "definition: three = list of restrictions",
            "E /c/master.cf, line 3: 587/inet: -o smtpd_client_restrictions: unknown smtpd "
            "restriction: \"permit_sasl_authenticate\" (did you mean "
            "permit_sasl_authenticated?)"));
}

TEST(RestrictionCheck, SomethingMustStopRelaying) {
    constexpr std::string_view kSmtp = "smtp inet n - n - - smtpd\n";
    constexpr std::string_view kOpen = "smtpd_relay_restrictions = permit_mynetworks\n";
    EXPECT_THAT(found(kOpen, kSmtp),
                ElementsAre(HasSubstr("E /c/main.cf, line 1: smtpd_relay_restrictions: nothing")));
    EXPECT_THAT(found(cat({kOpen, "smtpd_recipient_restrictions=reject\n"}), kSmtp), ElementsAre());
    // Nobody is concerned when every smtpd has lists of its own.
    EXPECT_THAT(found(kOpen, "smtp inet n - n - - smtpd -o smtpd_recipient_restrictions=defer\n"),
                ElementsAre());
    EXPECT_THAT(found(kGuarded, cat({kSmtp,
                                     "587 inet n - n - - smtpd -o "
                                     "smtpd_relay_restrictions=permit_mynetworks\n"})),
                ElementsAre(HasSubstr("E /c/master.cf, line 2: 587/inet: -o "
                                      "smtpd_relay_restrictions: nothing here or in ")));
}

TEST(RestrictionCheck, NamesTables) {
    const auto report = examine_restrictions(
        {"/c",
         cat({kGuarded, "smtpd_sender_restrictions = hash:/a,\n  check_helo_access pcre:/b\n"}),
         "587 inet n - n - - smtpd -o smtpd_client_restrictions=cidr:/c\n"},
        SomeHost());
    std::vector<std::string> tables;
    for (const auto& used : report.tables)
        tables.push_back(cat({used.spec, " ", used.place.str()}));
    EXPECT_THAT(tables, ElementsAre("hash:/a /c/main.cf, line 2: smtpd_sender_restrictions: ",
                                    "pcre:/b /c/main.cf, line 3: smtpd_sender_restrictions: ",
                                    "cidr:/c /c/master.cf, line 1: 587/inet: -o "
                                    "smtpd_client_restrictions: "));
}

}  // namespace
}  // namespace postern::config
