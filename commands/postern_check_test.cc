#include "commands/postern_check.h"

#include "tests/support/temp_folder.h"

#include <fstream>

namespace postern::commands {
namespace {

using testing::HasSubstr;

TEST(PosternCheck, TablesThatCannotBeOpened) {
    config::Snapshot snapshot{"/c",
                              "alias_maps = texthash:/nosuch/aliases, inline:{a=b}, nosuch:x\n"
                              "virtual_alias_maps = $my\nmy = regexp:/nosuch/patterns\n"
                              "local_login_sender_maps = static:ok\n",
                              ""};
    config::Report report = config::examine(snapshot);
    EXPECT_FALSE(report.has_errors());
    examine_use(report, snapshot);
    ASSERT_EQ(report.problems.size(), 3u);
    EXPECT_THAT(report.problems[0].str(),
                HasSubstr("/c/main.cf, line 1: alias_maps: texthash:/nosuch/aliases: "));
    EXPECT_THAT(report.problems[1].str(),
                HasSubstr("alias_maps: nosuch:x: unsupported dictionary type: nosuch"));
    EXPECT_THAT(report.problems[2].str(),
                HasSubstr("line 2: virtual_alias_maps: regexp:/nosuch/patterns: "));
}

TEST(PosternCheck, TablesInListsOfOtherThings) {
    config::Snapshot snapshot{"/c",
                              "mynetworks = 10.0.0.0/8 [::1]/128 !cidr:/nosuch/nets\n"
                              "mydestination = here.test, texthash:/nosuch/names\n"
                              "smtpd_milters = unix:/nosuch/milter, inet:127.0.0.1:1\n",
                              ""};
    config::Report report = config::examine(snapshot);
    examine_use(report, snapshot);
    ASSERT_EQ(report.problems.size(), 2u);
    EXPECT_THAT(report.problems[0].str(), HasSubstr("line 1: mynetworks: cidr:/nosuch/nets: "));
    EXPECT_THAT(report.problems[1].str(), HasSubstr("line 2: mydestination: texthash:/nosuch"));
}

TEST(PosternCheck, LinesOfTablesThatAreLeftOut) {
    support::TempFolder folder;
    const std::string path = folder.path() + "/t";
    std::ofstream(path) << "a b\nalone\nA c\n";
    std::ofstream(path + ".re") << "/x/ y\n/(/ z\n";
    config::Snapshot snapshot{"/c",
                              "alias_maps = texthash:" + path + "\n" +
                                  "smtpd_helo_restrictions = unionmap:{regexp:" + path + ".re}\n",
                              ""};
    config::Report report;
    examine_use(report, snapshot);
    EXPECT_FALSE(report.has_errors());
    ASSERT_EQ(report.problems.size(), 1u)
        << "only the restrictions: alias_maps is not in the report";
    EXPECT_THAT(report.problems[0].str(), HasSubstr("/t.re, line 2: "));
    report = config::examine(snapshot);
    examine_use(report, snapshot);
    ASSERT_EQ(report.problems.size(), 3u);
    EXPECT_THAT(report.problems[0].str(),
                HasSubstr("/c/main.cf, line 1: alias_maps: texthash:" + path + ": " + path +
                          ", line 2: expected format: key whitespace value"));
    EXPECT_THAT(report.problems[1].str(), HasSubstr(", line 3: duplicate entry: \"a\""));
}

TEST(PosternCheck, ValuesThatCannotBeAsMeant) {
    const support::TempFolder folder;
    const auto problems = [&](const std::string& main_cf) {
        const config::Snapshot snapshot{"/c", main_cf, ""};
        config::Report report = config::examine(snapshot);
        examine_use(report, snapshot);
        std::string all;
        for (const auto& problem : report.problems) all += problem.str() + "\n";
        return all;
    };
    const std::pair<std::string, std::string> cases[] = {
        {"mailbox_quota_rule = *:storage=much", "quota rule \"*:storage=much\""},
        {"mailbox_quota_warnings = 80, 200", "\"200\" is not a number of per cent, 1 to 100"},
        {"mailbox_path = /srv/mail/$usr", "\"$usr\": known are $home, $user"},
        {"mailbox_path = mail/$user", "not an absolute path"},
        {"mailbox_path = /srv/mail", "the same for all users"},
        {"mailbox_inbox_file = /var/mail/%x", "\"%x\": known are"},
        {"mailbox_prefix = a*b", "\"a*b\" can begin no names"},
        {"mailbox_public_folders = Public=srv", "\"Public=srv\" is not of the form name=/path"},
        {"mailbox_public_folders = Public=/nosuch", "Public=/nosuch: there is no such directory"},
        {"mailbox_shared_dict = /nosuch/dict", "there is no directory /nosuch/"},
        {"mailbox_initial_folders = Sent, a/b", "\"a/b\": Mailbox name has a character"},
        {"mailbox_separator = /\nmailbox_initial_folders = a/b, a.b", "\"a.b\": Mailbox name"},
        {"auth_mechanisms = plain, apop", "no mechanism \"apop\"; it is not offered"},
        {"pop3_uidl_format = %q", "\"%q\" is no format of unique ids"},
        {"login_tls_protocols = >=TLSv9", "unknown TLS protocol >=TLSv9"},
        {"smtpd_tls_mandatory_protocols = !TLSv1, <=TLSv1", "no TLS protocol is left by"},
        {"lmtp_tls_protocols = SSL7", "unknown TLS protocol SSL7"},
    };
    for (const auto& [line, what] : cases) {
        const auto begin = line.rfind('\n') + 1;
        const std::string name = line.substr(begin, line.rfind(" =") - begin);
        EXPECT_THAT(problems(line + "\n"), HasSubstr(name + ": " + what));
    }
    EXPECT_EQ(problems("mailbox_quota_rule = *:storage=1G\nmailbox_quota_warnings = "
                       "80\nmailbox_public_folders = P=" +
                       folder.path() + "\nmailbox_shared_dict = " + folder.path() +
                       "/dict\nmailbox_initial_folders = Sent, a.b, Entw\xc3\xbcrfe\n"
                       "mailbox_path = ~/Maildir\nmailbox_inbox_file = "
                       "/var/mail/%d/%n\nmailbox_prefix = INBOX.\nauth_mechanisms = plain "
                       "SCRAM-SHA-256\npop3_uidl_format = %f\nsmtpd_tls_protocols = !SSLv2, "
                       "!SSLv3, !TLSv1\nsmtp_tls_protocols = >=TLSv1.2\ntlsproxy_tls_protocols = "
                       "$smtpd_tls_protocols\n"),
              "");
}

TEST(PosternCheck, UsageAndMissingFiles) {
    EXPECT_FALSE(check("/nosuch", {}).has_value());
    EXPECT_FALSE(check("/nosuch", {"-x"}).has_value());
}

}  // namespace
}  // namespace postern::commands
