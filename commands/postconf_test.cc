#include "commands/postconf.h"

namespace postern::commands {
namespace {

using Subject = PostconfOptions::Subject;
using Change = PostconfOptions::Change;

constexpr const char* kMaster =
    "smtp inet n - y - - smtpd -v\n"
    "relay unix - - y - - smtp -o syslog_name=postfix/$service_name\n"
    "uucp unix - n n - - pipe flags=F argv=uux - $nexthop\n";

class Postconf : public testing::Test {
  protected:
    PostconfOutput main(std::string_view text, const std::vector<std::string>& names = {}) {
        config::Settings settings("/etc/postfix");
        EXPECT_TRUE(settings.parse(text).has_value());
        auto master = config::MasterFile::parse(kMaster);
        return show_main({settings, *master, options}, names);
    }
    std::string master(const std::vector<std::string>& patterns) {
        config::Settings settings("/etc/postfix");
        auto parsed = config::MasterFile::parse(kMaster);
        return show_master({settings, *parsed, options}, patterns).text;
    }
    PostconfOptions options;
};

TEST_F(Postconf, NamedParameters) {
    EXPECT_EQ(main("smtpd_timeout = 5s\n", {"smtpd_timeout", "relayhost"}).text,
              "smtpd_timeout = 5s\nrelayhost =\n");
    options.defaults = true;
    EXPECT_EQ(main("smtpd_timeout = 5s\n", {"smtpd_timeout"}).text,
              "smtpd_timeout = ${stress?{10}:{300}}s\n");
    options.expand = true;
    EXPECT_EQ(main("", {"smtpd_timeout"}).text, "smtpd_timeout = 300s\n");
    options.values_only = true;
    EXPECT_EQ(main("", {"smtpd_timeout"}).text, "300s\n");
    options = {};
}

TEST_F(Postconf, UnknownName) {
    auto output = main("", {"nosuchparam"});
    EXPECT_EQ(output.text, "");
    EXPECT_EQ(output.warnings, std::vector<std::string>{"nosuchparam: unknown parameter"});
    EXPECT_EQ(
        main("", {"smtpd_timout"}).warnings,
        std::vector<std::string>{"smtpd_timout: unknown parameter (did you mean smtpd_timeout?)"});
}

TEST_F(Postconf, UndefinedNamesAndUnusedOptions) {
    options.set_only = true;
    config::Settings settings("/etc/postfix");
    ASSERT_TRUE(settings.parse("myorigin = $nosuch\nrelayhost = $mua_relay\n").has_value());
    const auto master = config::MasterFile::parse(
        "smtp inet n - y - - smtpd -o mua_relay=x -o own=$mua_relay$other -o two=$own\n");
    const std::vector<std::string> both = {"/etc/postfix/main.cf: undefined parameter: nosuch",
                                           "/etc/postfix/master.cf: undefined parameter: other",
                                           "/etc/postfix/master.cf: unused parameter: two=$own"};
    EXPECT_EQ(show_main({settings, *master, options}, {}).warnings, both);
    options.subject = Subject::master;
    EXPECT_EQ(show_master({settings, *master, options}, {}).warnings, both);
    options.subject = Subject::master_params;
    EXPECT_EQ(show_master({settings, *master, options}, {"smtp/inet/nosuch"}).warnings.front(),
              "unmatched request: \"smtp/inet/nosuch\"");
}

TEST_F(Postconf, EntriesExpanded) {
    options.expand = true;
    options.subject = Subject::master;
    EXPECT_EQ(master({"relay"}),
              "relay      unix  -       -       y       -       -       smtp -o "
              "syslog_name=postfix/relay\n");
    EXPECT_EQ(master({"uucp"}),
              "uucp       unix  -       n       n       -       -       pipe flags=F argv=uux - "
              "$nexthop\n");
}

TEST_F(Postconf, OnlyWhatIsSet) {
    options.set_only = true;
    auto output =
        main("relayhost = [x]\nmine = 1\nmyorigin = $mine\nfoo = bar\nsoft_bounce = yes\n");
    EXPECT_EQ(output.text, "mine = 1\nmyorigin = $mine\nrelayhost = [x]\nsoft_bounce = yes\n");
    EXPECT_EQ(output.warnings,
              std::vector<std::string>{"/etc/postfix/main.cf: unused parameter: foo=bar"});
}

TEST_F(Postconf, Classes) {
    using Only = PostconfOptions::Only;
    options.names_only = true;
    options.only = Only::user;
    EXPECT_EQ(main("mine = 1\nmyorigin = $mine\n").text, "mine\n");
    options.only = Only::service;
    EXPECT_THAT(main("").text, testing::HasSubstr("uucp_time_limit\n"));
    EXPECT_THAT(main("").text, testing::Not(testing::HasSubstr("relay_time_limit\n")));
    options.only = Only::all;
    EXPECT_THAT(main("").text, testing::HasSubstr("relay_destination_concurrency_limit\n"));
    options.names_only = false;
    EXPECT_EQ(main("", {"relay_destination_concurrency_limit"}).text,
              "relay_destination_concurrency_limit = $default_destination_concurrency_limit\n");
}

TEST_F(Postconf, Fold) {
    options.fold = true;
    std::string words(30, 'a');
    EXPECT_EQ(
        main("mydestination = " + words + " " + words + "   " + words + "\n", {"mydestination"})
            .text,
        "mydestination = " + words + " " + words + "\n    " + words + "\n");
}

TEST_F(Postconf, Json) {
    options.json = true;
    options.set_only = true;
    EXPECT_EQ(
        main("mine = \"q\"\nmyorigin = $mine\n").text,
        "{\"name\":\"mine\",\"value\":\"\\\"q\\\"\",\"line\":1}\n"
        "{\"name\":\"myorigin\",\"value\":\"$mine\",\"standing\":\"honoured\",\"readers\":\"" +
            std::string(config::readers(*config::find_row("myorigin"))) + "\",\"line\":2}\n");
}

TEST_F(Postconf, NamesWithNamesAreDescribed) {
    options.names_only = true;
    EXPECT_THAT(main("", {"smtpd_timeout"}).text, testing::HasSubstr("Honoured by smtpd."));
}

TEST_F(Postconf, MasterListings) {
    options.subject = Subject::master;
    EXPECT_EQ(master({"smtp/inet"}),
              "smtp       inet  n       -       y       -       -       smtpd -v\n");
    options.subject = Subject::master_fields;
    EXPECT_EQ(master({"smtp/inet"}),
              "smtp/inet/service = smtp\nsmtp/inet/type = inet\nsmtp/inet/private = n\n"
              "smtp/inet/unprivileged = -\nsmtp/inet/chroot = y\nsmtp/inet/wakeup = -\n"
              "smtp/inet/process_limit = -\nsmtp/inet/command = smtpd -v\n");
    EXPECT_EQ(master({"smtp/inet/chroot"}), "smtp/inet/chroot = y\n");
    options.subject = Subject::master_params;
    EXPECT_EQ(master({}), "relay/unix/syslog_name = postfix/$service_name\n");
    EXPECT_EQ(master({"*/unix/syslog_name"}), "relay/unix/syslog_name = postfix/$service_name\n");
}

TEST(PostconfEdit, Main) {
    EXPECT_EQ(*edit_main("# c\na = 1\n", Change::set, {"a = 2", "b=x y"}), "# c\na = 2\nb = x y\n");
    EXPECT_EQ(*edit_main("a = 1\nb = 2\n", Change::remove, {"a"}), "b = 2\n");
    EXPECT_EQ(*edit_main("a = 1\n", Change::comment_out, {"a"}), "#a = 1\n");
    EXPECT_FALSE(edit_main("", Change::set, {"a"}).has_value());
    EXPECT_FALSE(edit_main("", Change::set, {"a=b\nc=d"}).has_value());
    EXPECT_FALSE(edit_main("", Change::remove, {"a=b"}).has_value());
}

TEST(PostconfEdit, Master) {
    PostconfOptions options;
    options.change = Change::set;
    auto edited = [&](Subject subject, const char* argument) {
        options.subject = subject;
        return edit_master("smtp inet n - y - - smtpd\n", options, {argument})
            .value_or(std::string("error"));
    };
    const std::string head = "smtp       inet  n       -       ";
    EXPECT_EQ(edited(Subject::master_fields, "smtp/inet/chroot=n"),
              head + "n       -       -       smtpd\n");
    EXPECT_EQ(edited(Subject::master_fields, "smtp/inet/command=smtpd -v"),
              head + "y       -       -       smtpd -v\n");
    EXPECT_EQ(edited(Subject::master_params, "smtp/inet/stress=yes"),
              head + "y       -       -       smtpd\n    -o stress=yes\n");
    EXPECT_EQ(edited(Subject::master_params, "smtp/inet/x=a b"),
              head + "y       -       -       smtpd\n    -o {x=a b}\n");
    EXPECT_EQ(edited(Subject::master, "smtp/inet=smtp inet n - n - 3 smtpd"),
              head + "n       -       3       smtpd\n");
    EXPECT_EQ(edited(Subject::master_fields, "smtp/inet/chroot=maybe"), "error");
    EXPECT_EQ(edited(Subject::master_fields, "nosuch/inet/chroot=n"), "error");
    EXPECT_EQ(edited(Subject::master, "smtp/inet=other inet n - n - 3 smtpd"), "error");
    EXPECT_EQ(edited(Subject::master, "smtp"), "error");
    options.change = Change::remove;
    EXPECT_EQ(edited(Subject::master, "smtp/inet"), "");
    options.change = Change::comment_out;
    EXPECT_EQ(edited(Subject::master, "smtp/inet"), "#smtp inet n - y - - smtpd\n");
}

TEST(PostconfBounce, ShowsTemplatesAndTexts) {
    const auto config = *config::Config::parse("myhostname = mx.x.test\ndelay_warning_time = 4h\n");
    EXPECT_THAT(*bounce_templates(config, ""), testing::HasSubstr("at host $myhostname.\n"));
    const std::string texts = *bounce_texts(config, std::nullopt);
    EXPECT_THAT(texts, testing::StartsWith("expanded_failure_text = <<EOF\n"));
    EXPECT_THAT(texts, testing::HasSubstr("at host mx.x.test.\n"));
    EXPECT_THAT(texts, testing::HasSubstr("more than 4 hour(s)"));
    EXPECT_THAT(texts, testing::EndsWith("The mail system\nEOF\n"));
    EXPECT_THAT(bounce_texts(config, "/nosuch").error().what, testing::HasSubstr("/nosuch"));
}

TEST(PostconfManual, NamesEveryParameter) {
    std::string manual = make_manual();
    for (const config::Row& row : config::rows()) {
        EXPECT_THAT(manual, testing::HasSubstr(std::string(row.name))) << row.name;
    }
    EXPECT_EQ(manual.find("\n'"), manual.npos);
    const std::string page = make_html_manual();
    for (const config::Row& row : config::rows()) {
        EXPECT_THAT(page, testing::HasSubstr("<dt id=\"" + std::string(row.name) + "\">"));
        EXPECT_THAT(page, testing::HasSubstr("<a href=\"#" + std::string(row.name) + "\">"));
    }
    EXPECT_THAT(*describe("smtpd_timeout"), testing::HasSubstr("complete command line"));
    EXPECT_EQ(describe("nosuch"), std::nullopt);
}

}  // namespace
}  // namespace postern::commands
