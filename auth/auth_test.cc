#include <unistd.h>

#include <fstream>

#include "auth/auth_service.h"
#include "auth/hash_pool.h"
#include "lib/ipc/channel.h"
#include "lib/log/log.h"
#include "lib/sasl/server_exchange.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace postern::auth {
namespace {

using ipc::AuthOutcome;
using ipc::AuthProtocol;
using namespace std::string_literals;

SessionId session_id() {
    return SessionId::make(SystemClock::instance(), SystemRandom::instance());
}

// --- Tokens

TEST(Tokens, AreGoodOnceForTheirSessionAndProtocol) {
    support::FakeClock clock;
    Tokens tokens(clock, SystemRandom::instance(), Seconds{60});
    const auto a = session_id();
    const auto b = session_id();
    const auto token = tokens.mint("u1", a, AuthProtocol::imap);
    EXPECT_EQ(token.size(), ipc::kAuthTokenSize);
    EXPECT_EQ(tokens.redeem(token, a, AuthProtocol::imap), "u1");
    EXPECT_FALSE(tokens.redeem(token, a, AuthProtocol::imap)) << "once";
    EXPECT_FALSE(tokens.redeem(tokens.mint("u1", a, AuthProtocol::imap), b, AuthProtocol::imap));
    EXPECT_FALSE(tokens.redeem(tokens.mint("u1", a, AuthProtocol::imap), a, AuthProtocol::pop3));
    EXPECT_FALSE(tokens.redeem("", a, AuthProtocol::imap));
    const auto tried = tokens.mint("u1", a, AuthProtocol::imap);
    EXPECT_FALSE(tokens.redeem(tried, b, AuthProtocol::imap));
    EXPECT_FALSE(tokens.redeem(tried, a, AuthProtocol::imap)) << "a misuse ends it";
}

TEST(Tokens, Expire) {
    support::FakeClock clock;
    Tokens tokens(clock, SystemRandom::instance(), Seconds{60});
    const auto a = session_id();
    const auto token = tokens.mint("u1", a, AuthProtocol::imap);
    clock.advance(Seconds{59});
    EXPECT_EQ(tokens.outstanding(), 1U);
    clock.advance(Seconds{1});
    EXPECT_EQ(tokens.outstanding(), 0U);
    EXPECT_FALSE(tokens.redeem(token, a, AuthProtocol::imap));
}

TEST(Tokens, AreBounded) {
    support::FakeClock clock;
    Tokens tokens(clock, SystemRandom::instance(), Seconds{60});
    const auto a = session_id();
    const auto first = tokens.mint("u1", a, AuthProtocol::imap);
    for (std::size_t i = 0; i < Tokens::kMaxOutstanding; ++i)
        (void)tokens.mint("u1", a, AuthProtocol::imap);
    EXPECT_LE(tokens.outstanding(), Tokens::kMaxOutstanding);
    EXPECT_FALSE(tokens.redeem(first, a, AuthProtocol::imap));
}

// --- Users

class UsersTest : public testing::Test {
  protected:
    UsersTest() {
        options_.passwd_file = folder_.path() + "/users";
        options_.mailbox_path = "$home/Maildir";
        options_.own_uid = 990;
        options_.own_gid = 991;
    }
    void write(const std::string& text) {
        // As "postern user" does: a new file takes the old one's place.
        std::ofstream(options_.passwd_file + ".new") << text;
        ASSERT_EQ(::rename((options_.passwd_file + ".new").c_str(), options_.passwd_file.c_str()),
                  0);
    }
    support::TempFolder folder_;
    UserOptions options_;
};

TEST_F(UsersTest, FindsCompletesAndRereads) {
    Users users(options_);
    EXPECT_TRUE(users.find("u1").not_found()) << "no file, no users";
    write("# users\nU1:{PLAIN}x:1001:1002::/home/u1\n");
    const auto user = users.find("u1");
    ASSERT_TRUE(user.found());
    EXPECT_EQ(user->name, "u1");
    EXPECT_EQ(user->uid, 1001U);
    EXPECT_EQ(user->gid, 1002U);
    EXPECT_EQ(user->home, "/home/u1");
    EXPECT_EQ(user->mailbox, "/home/u1/Maildir");
    EXPECT_TRUE(users.find("U1").found());
    write("u2:{PLAIN}x:1001:1002::/home/u2\n");
    EXPECT_TRUE(users.find("u1").not_found());
    EXPECT_TRUE(users.find("u2").found());
}

TEST_F(UsersTest, Entries) {
    write(
        "own:{PLAIN}x:::::\n"
        "ownhome:{PLAIN}x::::/srv/own\n"
        "rooted:{PLAIN}x:0:0::/root\n"
        "low:{PLAIN}x:33:33::/var/www\n"
        "named:{PLAIN}x:no-such-user-here:1::/h\n"
        "relative:{PLAIN}x:1001:1001::home\n"
        "disabled::1001:1001::/h\n"
        "nologin:{PLAIN}x:1001:1001::/h::nologin\n"
        "mail:{PLAIN}x:1001:1001::/h::userdb_mail=maildir:~/Mail:INDEX=/x\n"
        "broken line\n"
        "same:{PLAIN}x:990:991::/h\n");
    Users users(options_);
    EXPECT_TRUE(users.find("own").failed()) << "no home";
    EXPECT_EQ(users.find("ownhome")->uid, 990U);
    EXPECT_EQ(users.find("ownhome")->gid, 991U);
    for (const char* refused : {"rooted", "low", "named", "relative"})
        EXPECT_TRUE(users.find(refused).failed()) << refused;
    for (const char* unknown : {"disabled", "nologin", "nobody-at-all", ""})
        EXPECT_TRUE(users.find(unknown).not_found()) << unknown;
    EXPECT_EQ(users.find("mail")->mailbox, "/h/Mail");
    EXPECT_TRUE(users.find("same").found()) << "an unprivileged instance's own uid may be low";
}

TEST_F(UsersTest, AnUnreadableFileIsNotAnUnknownUser) {
    ASSERT_EQ(::mkdir(options_.passwd_file.c_str(), 0700), 0);
    Users users(options_);
    EXPECT_TRUE(users.find("u1").failed());
}

TEST(MailboxPath, AnMboxMayBeTheInbox) {
    const struct {
        std::string extra, want;
    } cases[] = {
        {"", "/var/mail/u"},
        {"userdb_mail=mbox:~/mail:INBOX=/spool/%u", "/spool/u"},
        {"userdb_mail=mbox:~/mail:INDEX=/x:INBOX=~/in", "/h/in"},
        {"userdb_mail=mbox:~/mail", "/h/mail/inbox"},
        {"userdb_mail=maildir:~/Maildir", ""},
    };
    for (const auto& c : cases) {
        sasl::PasswdEntry entry;
        entry.user = "u";
        entry.home = "/h";
        entry.extra = c.extra;
        EXPECT_EQ(sasl::inbox_file_of(entry, "/var/mail/$user"), c.want) << c.extra;
        const bool own = c.extra.find("=maildir:") != std::string::npos;
        EXPECT_EQ(sasl::mailbox_of(entry, "$home/M"), own ? "/h/Maildir" : "/h/M");
    }
    EXPECT_EQ(sasl::inbox_file_of({}, ""), "");
}

TEST(MailboxPath, Expands) {
    EXPECT_EQ(sasl::expand_mailbox_path("$home/Maildir", "/home/u", "u"), "/home/u/Maildir");
    EXPECT_EQ(sasl::expand_mailbox_path("/srv/${user}/m", "/home/u", "u@d"), "/srv/u@d/m");
    EXPECT_EQ(sasl::expand_mailbox_path("/a$b", "/h", "u"), "/a$b");
    EXPECT_EQ(sasl::expand_mailbox_path("/srv/%d/%n/%u%h", "/h", "u@d"), "/srv/d/u/u@d/h");
    EXPECT_EQ(sasl::expand_mailbox_path("/%d%n%x%", "/h", "u"), "/u%x%");
}

// --- HashPool

TEST(HashPool, VerifyPacket) {
    EXPECT_EQ(verify_packet("{PLAIN}x\0x"s), 'y');
    EXPECT_EQ(verify_packet("{PLAIN}x\0y"s), 'n');
    EXPECT_EQ(verify_packet("{NOPE}x\0y"s), 'e');
    EXPECT_EQ(verify_packet("x"), 'e');
}

TEST(HashPool, AnswersAllFromAFewProcesses) {
    loop::Loop loop;
    HashPool pool(loop, 2);
    int right = 0, wrong = 0, broken = 0;
    constexpr int kEach = 20;
    const auto count = [&](Result<bool> fits) {
        ++(!fits ? broken : *fits ? right : wrong);
        if (right + wrong + broken == 3 * kEach) loop.stop();
    };
    for (int i = 0; i < kEach; ++i) {
        pool.verify("{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "test", count);
        pool.verify("{PLAIN}x", "y", count);
        pool.verify("{NOPE}x", "y", count);
    }
    EXPECT_EQ(right + wrong + broken, 0) << "never from inside verify()";
    loop.run_for(Seconds{20});
    EXPECT_EQ(right, kEach);
    EXPECT_EQ(wrong, kEach);
    EXPECT_EQ(broken, kEach);
    EXPECT_LE(pool.workers(), 2U);
}

// --- The service, with real conversations

class ServiceTest : public UsersTest {
  protected:
    void SetUp() override {
        log::open_capture();
        write("u1:{PLAIN}secret:1001:1002::/home/u1\nbad:{NOPE}x:1001:1002::/home/u1\n");
        Options options;
        options.users = options_;
        options.failure_delay = delay_;
        service_ = std::make_unique<AuthService>(loop_, options, SystemRandom::instance(),
                                                 [this] { ++ended_; });
    }
    void TearDown() override { (void)log::take_captured(); }

    ipc::Channel connect(bool may_redeem = false) {
        auto ends = sys::packet_pair().value();
        service_->serve(std::move(ends.second), may_redeem);
        return ipc::Channel(std::move(ends.first));
    }
    template <class Answer, class Question>
    Result<Answer> ask(ipc::Channel& channel, const Question& question) {
        TRY(channel.send(question, Deadline::in(Seconds{5})));
        bool ready = false;
        loop::Watch watch(loop_, channel.fd(), [&] {
            ready = true;
            loop_.stop();
        });
        watch.want_read(true);
        loop_.run_for(Seconds{20});
        if (!ready) return Error{Errc::timeout, "no answer"};
        return channel.receive<Answer>(Deadline::in(Seconds{1}));
    }
    ipc::AuthRequest request(const std::string& user, const std::string& password) {
        ipc::AuthRequest r;
        r.session = session_;
        r.protocol = AuthProtocol::imap;
        r.mechanism = "PLAIN";
        r.client_address = "127.0.0.1";
        r.has_response = true;
        r.response = sasl::make_plain(user, password);
        return r;
    }

    loop::Loop loop_;
    Millis delay_{0};
    SessionId session_ = session_id();
    std::unique_ptr<AuthService> service_;
    int ended_ = 0;
};

TEST_F(ServiceTest, LoginTokenGrant) {
    auto login = connect();
    const auto answer = ask<ipc::AuthAnswer>(login, request("U1", "secret"));
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(answer->outcome, AuthOutcome::success);
    EXPECT_EQ(answer->user, "u1");
    EXPECT_TRUE(service_->busy());
    auto imapd = connect(true);
    const auto grant =
        ask<ipc::Grant>(imapd, ipc::RedeemToken{answer->token, session_, AuthProtocol::imap});
    ASSERT_TRUE(grant) << grant.error().what;
    EXPECT_TRUE(grant->ok);
    EXPECT_EQ(grant->user, "u1");
    EXPECT_EQ(grant->uid, 1001U);
    EXPECT_EQ(grant->gid, 1002U);
    EXPECT_EQ(grant->home, "/home/u1");
    EXPECT_EQ(grant->mailbox, "/home/u1/Maildir");
    EXPECT_EQ(grant->session, session_);
    EXPECT_FALSE(
        ask<ipc::Grant>(imapd, ipc::RedeemToken{answer->token, session_, AuthProtocol::imap})->ok);
    EXPECT_FALSE(service_->busy());
}

TEST(Resume, TokenIsOfOneUserSessionAndProtocol) {
    const Resume resume(std::string(32, 'k'));
    const Resume other(std::string(32, 'l'));
    const SessionId a = session_id();
    const SessionId b = session_id();
    const std::string token = resume.token("u1", a, AuthProtocol::imap);
    EXPECT_EQ(resume.redeem(token, a, AuthProtocol::imap), "u1");
    EXPECT_EQ(resume.redeem(token, a, AuthProtocol::imap), "u1") << "as often as it sleeps";
    EXPECT_EQ(Resume(std::string(32, 'k')).redeem(token, a, AuthProtocol::imap), "u1") << "a reload";
    EXPECT_FALSE(resume.redeem(token, b, AuthProtocol::imap));
    EXPECT_FALSE(resume.redeem(token, a, AuthProtocol::pop3));
    EXPECT_FALSE(resume.redeem(token, SessionId(), AuthProtocol::imap));
    EXPECT_FALSE(other.redeem(token, a, AuthProtocol::imap)) << "another boot";
    EXPECT_FALSE(resume.redeem(token + "0", a, AuthProtocol::imap)) << "another user";
    for (std::size_t size = 0; size < token.size(); ++size)
        EXPECT_FALSE(resume.redeem(token.substr(0, size), a, AuthProtocol::imap)) << size;
    EXPECT_NE(resume.session_key("u1", a), resume.session_key("u1", b));
    EXPECT_NE(resume.session_key("u1", a), resume.session_key("u2", a));
    EXPECT_NE(resume.session_key("u1", a), token.substr(0, 32)) << "login has the token";
}

TEST_F(ServiceTest, AHibernatedSessionComesBackWithItsToken) {
    auto login = connect();
    const auto answer = ask<ipc::AuthAnswer>(login, request("U1", "secret"));
    auto imapd = connect(true);
    const auto grant =
        ask<ipc::Grant>(imapd, ipc::RedeemToken{answer->token, session_, AuthProtocol::imap});
    ASSERT_TRUE(grant && grant->ok);
    for (int i = 0; i < 2; ++i) {
        const auto again = ask<ipc::Grant>(
            imapd, ipc::RedeemToken{grant->resume_token, session_, AuthProtocol::imap});
        ASSERT_TRUE(again && again->ok);
        EXPECT_EQ(again->user, "u1");
        EXPECT_EQ(again->session_key, grant->session_key);
    }
    const ipc::RedeemToken forged{grant->resume_token + "0", session_, AuthProtocol::imap};
    EXPECT_FALSE(ask<ipc::Grant>(imapd, forged)->ok);
    const ipc::RedeemToken elsewhere{grant->resume_token, session_id(), AuthProtocol::imap};
    EXPECT_FALSE(ask<ipc::Grant>(imapd, elsewhere)->ok);
    EXPECT_FALSE(ask<ipc::Grant>(login, ipc::RedeemToken{grant->resume_token, session_,
                                                         AuthProtocol::imap})
                     .has_value())
        << "login turns no token into a grant";
}

TEST_F(ServiceTest, WrongAndUnknownLookAlike) {
    auto login = connect();
    const auto wrong = ask<ipc::AuthAnswer>(login, request("u1", "wrong"));
    const auto unknown = ask<ipc::AuthAnswer>(login, request("nobody", "wrong"));
    EXPECT_EQ(wrong->outcome, AuthOutcome::failure);
    EXPECT_EQ(unknown->outcome, AuthOutcome::failure);
    EXPECT_EQ(wrong->token, "");
    const auto log = log::take_captured();
    EXPECT_THAT(log, testing::HasSubstr("unknown user"));
    EXPECT_THAT(log, testing::Not(testing::HasSubstr("wrong")));
}

TEST_F(ServiceTest, MistakesOfTheAdministratorAreTemporary) {
    auto login = connect();
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, request("bad", "x"))->outcome, AuthOutcome::temporary);
}

TEST_F(ServiceTest, MalformedAndForeignIdentities) {
    auto login = connect();
    auto malformed = request("u1", "secret");
    malformed.response = "rubbish";
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, malformed)->outcome, AuthOutcome::failure);
    auto other = request("u1", "secret");
    other.response = "admin"s + other.response;
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, other)->outcome, AuthOutcome::failure);
    auto same = request("u1", "secret");
    same.response = "u1"s + same.response;
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, same)->outcome, AuthOutcome::success);
}

TEST_F(ServiceTest, SmtpGetsNoToken) {
    auto smtpd = connect();
    auto r = request("u1", "secret");
    r.protocol = AuthProtocol::smtp;
    const auto answer = ask<ipc::AuthAnswer>(smtpd, r);
    EXPECT_EQ(answer->outcome, AuthOutcome::success);
    EXPECT_EQ(answer->token, "");
}

TEST_F(ServiceTest, TellsWhoExists) {
    write("u1:{PLAIN}x:1:1::/h\nmailonly::1:1::/h\n");
    auto policy = connect();
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"U1"})->outcome, ipc::UserOutcome::known);
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"mailonly"})->outcome, ipc::UserOutcome::known);
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"u2"})->outcome, ipc::UserOutcome::unknown);
    ASSERT_EQ(::unlink(options_.passwd_file.c_str()), 0);
    ASSERT_EQ(::mkdir(options_.passwd_file.c_str(), 0700), 0);
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"u1"})->outcome, ipc::UserOutcome::temporary);
}

TEST_F(ServiceTest, TellsWhereMailGoesToThoseWhoBecomeUsers) {
    write("mailonly::1001:1002::/home/m\n");
    auto local = connect(true);
    const auto answer = ask<ipc::UserAnswer>(local, ipc::UserRequest{"MailOnly"});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->outcome, ipc::UserOutcome::known);
    EXPECT_EQ(answer->user, "mailonly");
    EXPECT_EQ(answer->uid, 1001u);
    EXPECT_EQ(answer->gid, 1002u);
    EXPECT_EQ(answer->home, "/home/m");
    EXPECT_EQ(answer->mailbox, "/home/m/Maildir");
    EXPECT_EQ(ask<ipc::UserAnswer>(local, ipc::UserRequest{"nobody"})->outcome, ipc::UserOutcome::unknown);
    auto policy = connect(false);
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"mailonly"})->home, "");
}

TEST_F(ServiceTest, LoginItselfCannotRedeem) {
    auto login = connect(false);
    const auto answer = ask<ipc::AuthAnswer>(login, request("u1", "secret"));
    EXPECT_EQ(ask<ipc::Grant>(login, ipc::RedeemToken{answer->token, session_, AuthProtocol::imap})
                  .error()
                  .code,
              Errc::closed);
    EXPECT_EQ(ended_, 1);
}

class DelayedServiceTest : public ServiceTest {
  protected:
    DelayedServiceTest() { delay_ = Millis{150}; }
};

TEST_F(DelayedServiceTest, FailuresAreHeldBackAndSuccessIsNot) {
    auto login = connect();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, request("u1", "wrong"))->outcome, AuthOutcome::failure);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, Millis{145});
}

TEST_F(DelayedServiceTest, AClientThatLeavesIsForgotten) {
    {
        auto login = connect();
        ASSERT_TRUE(login.send(request("u1", "wrong"), Deadline::in(Seconds{1})));
    }
    loop_.run_for(Millis{300});
    EXPECT_EQ(ended_, 1);
}

}  // namespace
}  // namespace postern::auth
