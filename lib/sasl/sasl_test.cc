#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/sasl/passwd_file.h"
#include "lib/sasl/password.h"
#include "lib/sasl/server_exchange.h"

namespace postern::sasl {
namespace {

using Step = ServerExchange::Step;
using namespace std::string_literals;

TEST(Password, KnownHashes) {
    const struct {
        std::string stored, password;
        bool fits;
    } cases[] = {
        {"{PLAIN}secret", "secret", true},
        {"{PLAIN}secret", "Secret", false},
        {"{plain}secret", "secret", true},
        {"{CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
         "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
         "Hello world!", true},
        {"{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
         "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
         "x", false},
        {"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!", true},
        {"{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!",
         true},
        {"{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world",
         false},
        {"{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "test", true},
        {"{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "test", true},
        {"{SHA256.hex}9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "test",
         true},
        {"{SHA256}9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "test", true},
        {"{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "tesT", false},
        {"{PLAIN}", "", false},
        {"", "", false},
        {"{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
         "Hello world!\0x"s, false},
    };
    for (const auto& c : cases) {
        const auto fits = verify_password(c.stored, c.password);
        ASSERT_TRUE(fits) << c.stored << ": " << fits.error().what;
        EXPECT_EQ(*fits, c.fits) << c.stored;
    }
    EXPECT_FALSE(*verify_password("{PLAIN}" + std::string(5000, 'x'), std::string(5000, 'x')));
}

TEST(Password, AdministratorsMistakesAreErrors) {
    for (const char* stored : {"{NOPE}x", "{PLAIN", "{SHA256.zip}x", "{SHA256}!!",
                               "{SSHA}c2hvcnQ=", "{ARGON2ID}$argon2id$x", "{SHA512-CRYPT}*",
                               "{SHA}"
                               "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="})
        EXPECT_EQ(verify_password(stored, "x").error().code, Errc::invalid) << stored;
}

TEST(Password, EverySchemeRoundTrips) {
    for (const auto scheme : password_schemes()) {
        auto stored = make_password(scheme, "pass word", SystemRandom::instance());
        ASSERT_TRUE(stored) << scheme << ": " << stored.error().what;
        EXPECT_TRUE(stored->starts_with("{" + std::string(scheme) + "}")) << *stored;
        EXPECT_TRUE(*verify_password(*stored, "pass word")) << *stored;
        EXPECT_FALSE(*verify_password(*stored, "qass word")) << *stored;
        const auto again = make_password(scheme, "pass word", SystemRandom::instance());
        const bool salted = stored->find('$') != std::string::npos || scheme.starts_with("SS") ||
                            scheme == "DES-CRYPT" || scheme.starts_with("SCRAM");
        EXPECT_EQ(*stored != *again, salted) << scheme;
    }
}

TEST(Password, WhatCannotBeStored) {
    auto& random = SystemRandom::instance();
    EXPECT_FALSE(make_password("PLAIN", "a:b", random));
    EXPECT_FALSE(make_password("PLAIN", "a\nb", random));
    EXPECT_FALSE(make_password("PLAIN", "", random));
    EXPECT_FALSE(make_password("NOPE", "x", random));
    EXPECT_TRUE(make_password(kDefaultScheme, "a:b", random));
}

TEST(Password, TheDummyIsWellFormedAndFitsNothing) {
    for (const char* password : {"", "x", "password"}) {
        const auto fits = verify_password(dummy_password(), password);
        ASSERT_TRUE(fits) << fits.error().what;
        EXPECT_FALSE(*fits);
    }
}

TEST(Plain, Parse) {
    const auto good = parse_plain("\0user@example.test\0secret"s);
    ASSERT_TRUE(good);
    EXPECT_EQ(good->user, "user@example.test");
    EXPECT_EQ(good->password, "secret");
    EXPECT_EQ(parse_plain("admin\0user\0secret"s)->authorization, "admin");
    EXPECT_EQ(parse_plain(make_plain("u", "p"))->password, "p");
    const std::string bad[] = {"",
                               "user",
                               "\0user"s,
                               "\0\0secret"s,
                               "\0user\0"s,
                               "\0user\0a\0b"s,
                               "\0us\ner\0secret"s,
                               std::string("\0", 1) + std::string(300, 'u') + std::string("\0p", 2),
                               std::string("\0u\0", 3) + std::string(2000, 'p')};
    for (const auto& message : bad) EXPECT_FALSE(parse_plain(message)) << hex_encode(message);
}

TEST(Exchange, PlainWithAndWithoutInitialResponse) {
    auto with = ServerExchange::start("plain");
    ASSERT_TRUE(with);
    EXPECT_EQ(with->begin("\0u\0p"s).kind, Step::Kind::ask);
    EXPECT_EQ(with->take_question().response, "\0u\0p"s);
    EXPECT_EQ(with->take_question().response, "") << "secrets leave once";
    auto without = ServerExchange::start("PLAIN");
    const auto step = without->begin(std::nullopt);
    EXPECT_EQ(step.kind, Step::Kind::challenge);
    EXPECT_EQ(step.challenge, "");
    EXPECT_EQ(without->on_response("\0u\0p"s).kind, Step::Kind::ask);
    EXPECT_EQ(without->on_response("\0u\0p"s).kind, Step::Kind::malformed)
        << "nothing was expected";
}

TEST(Exchange, Login) {
    auto exchange = ServerExchange::start("Login");
    EXPECT_EQ(exchange->mechanism(), "LOGIN");
    EXPECT_EQ(exchange->begin(std::nullopt).challenge, "Username:");
    EXPECT_EQ(exchange->on_response("u").challenge, "Password:");
    EXPECT_EQ(exchange->on_response("p").kind, Step::Kind::ask);
    EXPECT_EQ(exchange->take_question().response, "\0u\0p"s);
    auto initial = ServerExchange::start("LOGIN");
    EXPECT_EQ(initial->begin("u").challenge, "Password:");
    EXPECT_EQ(initial->on_response("").kind, Step::Kind::malformed);
    auto nul = ServerExchange::start("LOGIN");
    (void)nul->begin("u\0x"s);
    EXPECT_EQ(nul->on_response("p").kind, Step::Kind::malformed);
}

TEST(Exchange, UnknownMechanism) {
    EXPECT_EQ(ServerExchange::start("CRAM-MD5").error().code, Errc::not_found);
    EXPECT_EQ(ServerExchange::start("").error().code, Errc::not_found);
}

TEST(PasswdFile, ParsesAndFormats) {
    const struct {
        std::string line;
        PasswdEntry entry;
    } cases[] = {
        {"u1:{PLAIN}x:1000:1000::/home/u1",
         {"u1", "{PLAIN}x", "1000", "1000", "", "/home/u1", "", ""}},
        {"u1@example.test:$6$a$b", {"u1@example.test", "$6$a$b", "", "", "", "", "", ""}},
        {"u:{SSHA}a=:::Full Name:/h:/bin/sh:userdb_mail=maildir:~/Mail nologin",
         {"u", "{SSHA}a=", "", "", "Full Name", "/h", "/bin/sh",
          "userdb_mail=maildir:~/Mail nologin"}},
        {"u:", {"u", "", "", "", "", "", "", ""}},
        {"u:x::5", {"u", "x", "", "5", "", "", "", ""}},
    };
    for (const auto& c : cases) {
        const auto parsed = parse_passwd_line(c.line);
        ASSERT_TRUE(parsed) << c.line;
        EXPECT_EQ(**parsed, c.entry) << c.line;
        EXPECT_EQ(format_passwd_line(c.entry), c.line);
    }
    EXPECT_FALSE(*parse_passwd_line("# comment"));
    EXPECT_FALSE(*parse_passwd_line("  "));
    EXPECT_FALSE(parse_passwd_line("only-a-name"));
    EXPECT_FALSE(parse_passwd_line(":nobody:"));
}

TEST(PasswdFile, NamesAndExtraFields) {
    for (const char* good : {"u1", "u1@example.test", "a.b+c", "\xc3\xa4"})
        EXPECT_TRUE(is_user_name(good)) << good;
    for (const char* bad : {"", "a:b", "#a", "-a", "a/b", "..", "a b", "a\nb"})
        EXPECT_FALSE(is_user_name(bad)) << bad;
    EXPECT_EQ(extra_field("a=b userdb_mail=maildir:~/x", "userdb_mail"), "maildir:~/x");
    EXPECT_EQ(extra_field("nologin", "nologin"), "");
    EXPECT_FALSE(extra_field("nologin", "other"));
}

TEST(PasswdFile, OtherMailboxesThanOursAreNamed) {
    const auto check = [](const std::string& location) {
        PasswdEntry entry;
        entry.extra = "userdb_mail=" + location;
        const auto done = check_mailbox(entry);
        return done ? "" : done.error().what;
    };
    for (const char* good : {"maildir:~/Maildir", "maildir:/v/%d/%n:INDEX=/i:LAYOUT=maildir++",
                             "mbox:~/mail:INBOX=/var/mail/%u"})
        EXPECT_EQ(check(good), "");
    EXPECT_EQ(check("mdbox:~/mdbox"),
              "userdb_mail=mdbox:~/mdbox: the format mdbox is not supported");
    EXPECT_EQ(check("maildir:~/M:LAYOUT=fs"),
              "userdb_mail=maildir:~/M:LAYOUT=fs: LAYOUT=fs is not supported");
    for (const char* bad : {"maildir:~/M:INBOX=~/I", "maildir:~/M:CONTROL=/c", "/path", ""})
        EXPECT_NE(check(bad), "") << bad;
    EXPECT_TRUE(check_mailbox({}));
}

}  // namespace
}  // namespace postern::sasl
