#include "lib/config/check.h"

#include <syslog.h>

#include "lib/base/strings.h"

#include "lib/config/log_options.h"

namespace postern::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class OneHost final : public Host {
  public:
    std::string name() const override { return "mail.example.com"; }
    std::vector<InterfaceAddress> addresses() const override { return {{"127.0.0.1", 8, false}}; }
};

Report report(std::string_view main_cf, std::string_view master_cf = "") {
    return examine({"/c", std::string(main_cf), std::string(master_cf)}, OneHost());
}

std::vector<std::string> problems(const Report& report) {
    std::vector<std::string> out;
    for (const Problem& problem : report.problems)
        out.push_back(cat({problem.error ? "E " : "W ", problem.str()}));
    return out;
}

TEST(Check, AllProblemsAtOnce) {
    Report found = report(
        "smtpd_timeout = 5x\n"
        "nothing\n"
        "two words = 1\n"
        "smtpd_timout = 5s\n"
        "biff = maybe\n"
        "a = $b\nb = $a\nmyorigin = $a\n"
        "myorigin = x\n",
        "smtp inet n - n - - smtpd\n -o biff=7 -o nosuch=1\n"
        "bad inet\n"
        "x unix q - n - - y\n");
    EXPECT_THAT(
        problems(found),
        ElementsAre(
            HasSubstr("E /c/main.cf, line 1: smtpd_timeout: bad value \"5x\": expected a whole"),
            HasSubstr("E /c/main.cf, line 2: missing '=' after parameter name: \"nothing\""),
            HasSubstr("E /c/main.cf, line 3: bad parameter name \"two words\""),
            "W /c/main.cf, line 4: smtpd_timout: unknown parameter (did you mean smtpd_timeout?)",
            "E /c/main.cf, line 5: biff: bad value \"maybe\": expected yes or no",
            HasSubstr("E /c/main.cf, line 6: a: "), HasSubstr("E /c/main.cf, line 7: b: "),
            "W /c/main.cf, line 9: overriding earlier entry: myorigin=$a",
            "E /c/master.cf, line 1: smtp/inet: -o biff=7: bad value \"7\": expected yes or no",
            "W /c/master.cf, line 1: smtp/inet: -o nosuch: unknown parameter",
            HasSubstr("E /c/master.cf, line 3: bad: only 2 columns"),
            HasSubstr("E /c/master.cf, line 4: x: bad value \"q\" in column private")));
    EXPECT_TRUE(found.has_errors());
}

TEST(Check, UndefinedNames) {
    Report found = report(
        "relayhost = $mine\na = $b ${c} $(d) ${e?x} ${f:y} $$g $myhostname\nmyorigin = $a\n"
        "default_rbl_reply = $rbl_what\nslow_recipient_limit = 3\nmynetworks = "
        "$slow_recipient_limit\n",
        "smtp inet n - n - - smtpd -o mine=$a -o myorigin=$mine$nosuch$service_name\n");
    EXPECT_THAT(problems(found),
                ElementsAre("W /c/main.cf, line 2: a: refers to $b, which is not defined",
                            "W /c/main.cf, line 2: a: refers to $c, which is not defined",
                            "W /c/main.cf, line 2: a: refers to $d, which is not defined",
                            "W /c/main.cf, line 2: a: refers to $e, which is not defined",
                            "W /c/main.cf, line 2: a: refers to $f, which is not defined",
                            "W /c/master.cf, line 1: smtp/inet: -o myorigin: refers to $nosuch, "
                            "which is not defined"));
}

TEST(Check, NothingWrong) {
    Report found = report("myhostname = a.example.com\n", "smtp inet n - n - - smtpd\n");
    EXPECT_THAT(problems(found), ElementsAre());
    EXPECT_FALSE(found.has_errors());
}

TEST(Check, AnOptionThatSpoilsADefault) {
    Report found = report("", "smtp inet n - n - - smtpd -o stress=yes -o lmtp_tls_loglevel=x\n");
    EXPECT_THAT(problems(found),
                ElementsAre(HasSubstr("/c/master.cf, line 1: smtp/inet: -o lmtp_tls_loglevel=x")));
    // A default that takes its value from an option that is fine by itself.
    found = report("", "smtp inet n - n - - smtpd -o default_destination_recipient_limit=0\n");
    EXPECT_THAT(problems(found), ElementsAre());
}

TEST(Check, Standing) {
    Report found = report(
        "mine = 1\nmyorigin = $mine\nfork_delay = 2s\nqmqpd_error_delay = 2d\n"
        "slow_destination_recipient_limit = 3\nqmqpd_timeout = 300s\nwhatever_this = 1\n",
        "smtp inet n - n - - smtpd -o smtpd_tls_enable_rpk=yes -o "
        "syslog_name=x/$service_name\n");
    std::vector<std::string> standings;
    for (const SetParameter& set : found.set) {
        standings.push_back(cat({set.service, set.service.empty() ? "" : " ", set.name, ": ",
                                 standing_text(set), set.is_default ? " default" : ""}));
    }
    EXPECT_THAT(
        standings,
        ElementsAre("mine: user-defined", "myorigin: honoured", "fork_delay: no effect",
                    "qmqpd_error_delay: not yet", "slow_destination_recipient_limit: honoured",
                    "qmqpd_timeout: not yet default", "whatever_this: unknown",
                    "smtp/inet smtpd_tls_enable_rpk: not yet", "smtp/inet syslog_name: honoured"));
    EXPECT_THAT(
        not_yet_warnings(found),
        ElementsAre("/c/main.cf, line 4: qmqpd_error_delay: not honoured yet, has no effect",
                    "/c/master.cf, line 1: smtp/inet: -o smtpd_tls_enable_rpk: not honoured "
                    "yet, has no effect"));
}

TEST(Check, Text) {
    std::string text =
        report_text(report("fork_delay = 2s\nallow_percent_hack = 1\nmyorigin = x\n"));
    EXPECT_THAT(text,
                testing::StartsWith("error: /c/main.cf, line 2: allow_percent_hack: bad value"));
    EXPECT_THAT(text, HasSubstr("\nmain.cf:1      fork_delay                           no effect "
                                "Starting a process is repeated"));
    EXPECT_THAT(text, testing::ContainsRegex("\nmain.cf:3 +myorigin +honoured by "));
}

TEST(Check, Json) {
    std::string json = report_json(report("q = \"\\\n", "x\n"));
    EXPECT_THAT(json, testing::StartsWith("{\"problems\":[{\"severity\":\"warning\",\"file\":"
                                          "\"/c/main.cf\",\"line\":1,\"parameter\":\"q\","));
    EXPECT_THAT(json, HasSubstr("\"value\":\"\\\"\\\\\""));
    EXPECT_THAT(json, HasSubstr("\"standing\":\"unknown\""));
}

TEST(LogOptions, FollowTheConfiguration) {
    auto config = Config::parse("syslog_facility = local3\nlog_format = json\n", {}, OneHost());
    ASSERT_TRUE(config.has_value());
    log::Options options = log_options(*config, "smtpd", true);
    EXPECT_EQ(options.tag, "postfix/smtpd");
    EXPECT_EQ(options.syslog_facility, LOG_LOCAL3);
    EXPECT_TRUE(options.json);
    EXPECT_TRUE(options.debug);
    EXPECT_FALSE(Config::parse("syslog_facility = nosuch\n", {}, OneHost()).has_value());
    for (std::string_view name : split_words(find_row("syslog_facility")->limits.choices)) {
        EXPECT_EQ(syslog_facility(name) == LOG_MAIL, name == "mail") << name;
    }
}

}  // namespace
}  // namespace postern::config
