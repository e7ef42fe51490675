#include "policy/worker.h"

#include <fstream>

#include "lib/log/log.h"

#include "policy/users.h"

namespace postern::policy {
namespace {

TEST(PolicyWorker, AppliesTheOverridesOfTheAskingService) {
    log::open_capture();
    auto config = config::Config::parse(
        "myhostname = here.test\nmynetworks = 127.0.0.0/8\nlocal_recipient_maps = inline:{u1=x}\n");
    ASSERT_TRUE(config) << config.error().what;
    auto master = config::MasterFile::parse(
        "smtp inet n - n - - smtpd\n"
        "submission inet n - n - - smtpd\n  -o "
        "smtpd_relay_restrictions=permit_sasl_authenticated,reject\n"
        "bad inet n - n - - smtpd -o smtpd_delay_reject=perhaps\n");
    ASSERT_TRUE(master) << master.error().what;
    PolicyWorker worker(*config, *master, nullptr, nullptr);
    auto pair = sys::packet_pair();
    ASSERT_TRUE(pair);
    ipc::Channel client(std::move(pair->first));
    const auto deadline = Deadline::in(Millis{30'000});
    for (const auto* service : {"smtp", "submission", "bad", "other"}) {
        ipc::PolicyQuestion q;
        q.service = service;
        q.client_address = "192.0.2.1";
        q.recipient = "u1@here.test";
        ASSERT_TRUE(client.send(q, deadline));
    }
    ASSERT_TRUE(client.send(ipc::PolicyAnswer{}, deadline));  // not ours to receive: ends it
    ipc::Channel server(std::move(pair->second));
    using Conversation = service::Worker::Conversation;
    for (int i = 0; i < 4; ++i) EXPECT_EQ(worker.serve(server), Conversation::goes_on);
    EXPECT_EQ(worker.serve(server), Conversation::over);
    EXPECT_EQ(client.receive<ipc::PolicyAnswer>(deadline)->smtp_code, 250);
    EXPECT_EQ(client.receive<ipc::PolicyAnswer>(deadline)->smtp_code, 554);
    EXPECT_EQ(client.receive<ipc::PolicyAnswer>(deadline)->smtp_code, 451);
    EXPECT_EQ(client.receive<ipc::PolicyAnswer>(deadline)->smtp_code, 250);
}

TEST(Options, LeaveThePasswordFileToMailUsers) {
    auto config = config::Config::parse(
        "myhostname = here.test\nauth_passwd_file = /x/users\nalias_maps = inline:{a=b}\n"
        "local_recipient_maps = passwdfile:$auth_passwd_file, proxy:unix:passwd.byname "
        "$alias_maps\n");
    ASSERT_TRUE(config) << config.error().what;
    auto o = options_from(*config);
    EXPECT_TRUE(o.mail_users_listed);
    EXPECT_EQ(o.local_recipient_maps, "proxy:unix:passwd.byname, inline:{a=b}");
    o.local_recipient_maps = "";
    Engine engine(o, nullptr, nullptr);
    ipc::PolicyQuestion q;
    q.client_address = "192.0.2.1";
    q.recipient = "nobody@here.test";
    EXPECT_EQ(engine.answer(q).smtp_code, 550);
}

TEST(Options, AServiceBehindAFilterMayLeaveOutUnknownRecipientChecks) {
    const auto code = [](const std::string& more) {
        const auto config = config::Config::parse(
            "myhostname = here.test\nlocal_recipient_maps = inline:{bob=x}\n" + more);
        EXPECT_TRUE(config) << config.error().what;
        Engine engine(options_from(*config), nullptr, nullptr);
        ipc::PolicyQuestion q;
        q.client_address = "192.0.2.1";
        q.recipient = "nobody@here.test";
        return engine.answer(q).smtp_code;
    };
    const std::string overrides = "receive_override_options = no_header_body_checks";
    EXPECT_EQ(code(""), 550);
    EXPECT_EQ(code(overrides + "\n"), 550);
    EXPECT_EQ(code(overrides + ", no_unknown_recipient_checks\n"), 250);
    EXPECT_EQ(code(overrides + ", no_unknown_recipient_checks\n"
                               "smtpd_recipient_restrictions = reject_unlisted_recipient\n"),
              550);
}

TEST(MailUsers, AreThoseOfTheFile) {
    const std::string path = testing::TempDir() + "/policy-users";
    std::ofstream(path) << "anna:{PLAIN}x:1:1::/h\n";
    MailUsers users(path, "/nonexistent/auth");
    EXPECT_TRUE(users.known("Anna").found());
    EXPECT_TRUE(users.known("bob").not_found());
    MailUsers unreadable("/tmp",
                         "/nonexistent/auth");  // a folder: cannot be read, so auth is asked
    EXPECT_TRUE(unreadable.known("anna").failed());
    MailUsers missing(path + "-not-yet", "/nonexistent/auth");
    EXPECT_TRUE(missing.known("anna").failed()) << "auth may know of a file that was there before";
}

}  // namespace
}  // namespace postern::policy
