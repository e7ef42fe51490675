// Limits, mistakes and malice in what is said and what is stored.
#include "lib/base/strings.h"
#include "lib/sasl/passwd_file.h"
#include "lib/sasl/password.h"
#include "lib/sasl/server_exchange.h"

namespace postern::sasl {
namespace {

using namespace std::string_literals;
using Kind = ServerExchange::Step::Kind;

TEST(Plain, HasLimitsOnBothSides) {
    const std::string user(kMaxUser, 'u'), password(kMaxPassword, 'p');
    const struct {
        const char* name;
        std::string message;
        bool good;
    } cases[] = {
        {"usual", "\0u\0p"s, true},
        {"acting as another", "a\0u\0p"s, true},
        {"longest", "\0"s + user + "\0"s + password, true},
        {"user too long", "\0"s + user + "u\0p"s, false},
        {"authorization too long", user + "u\0u\0p"s, false},
        {"password too long", "\0u\0"s + password + "p", false},
        {"control character in the user", "\0u\n\0p"s, false},
        {"control character in the authorization", "a\x7f\0u\0p"s, false},
        {"control character in the password", "\0u\0p\n"s, true},
        {"two fields", "\0u"s, false},
        {"four fields", "\0u\0p\0x"s, false},
        {"nothing", "", false},
        {"only NULs", "\0\0"s, false},
        {"UTF-8", "\0\xc3\xa4\0\xe2\x82\xac"s, true},
    };
    for (const auto& c : cases) EXPECT_EQ(parse_plain(c.message).has_value(), c.good) << c.name;
    const auto parsed = parse_plain(make_plain("u", "p"));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->user + parsed->password + parsed->authorization, "up");
}

TEST(Exchange, LoginCannotSmuggleFields) {
    for (const auto& [user, password, good] :
         {std::tuple("u"s, "p"s, true), std::tuple("u\0x"s, "p"s, false),
          std::tuple("u"s, "p\0x"s, false), std::tuple(""s, "p"s, false),
          std::tuple("u"s, ""s, false)}) {
        auto exchange = ServerExchange::start("login").value();
        EXPECT_EQ(exchange.begin(std::nullopt).challenge, "Username:");
        EXPECT_EQ(exchange.on_response(user).challenge, "Password:");
        EXPECT_EQ(exchange.on_response(password).kind, good ? Kind::ask : Kind::malformed) << user;
        EXPECT_EQ(exchange.take_question().response, good ? make_plain(user, password) : "");
        EXPECT_EQ(exchange.take_question().response, "") << "once";
    }
}

TEST(Exchange, NothingIsSaidBehindItsEnd) {
    auto exchange = ServerExchange::start("PLAIN").value();
    EXPECT_EQ(exchange.on_response("\0u\0p"s).kind, Kind::malformed) << "before its beginning";
    EXPECT_EQ(exchange.begin("\0u\0p"s).kind, Kind::ask);
    EXPECT_EQ(exchange.on_response("\0other\0p"s).kind, Kind::malformed);
    EXPECT_EQ(exchange.take_question().response, "\0u\0p"s) << "what was said in time stays";
    auto wrong = ServerExchange::start("PLAIN").value();
    EXPECT_EQ(wrong.begin("nonsense").kind, Kind::malformed);
    EXPECT_EQ(wrong.on_response("\0u\0p"s).kind, Kind::malformed)
        << "no second try in one exchange";
}

TEST(Exchange, NamesAreExact) {
    for (const char* name : {"PLAIN", "plain", "Login"})
        EXPECT_TRUE(ServerExchange::start(name)) << name;
    for (const char* name : {"", "PLAIN ", "PLAI", "PLAINX", "CRAM-MD5", "SCRAM-SHA-512"})
        EXPECT_EQ(ServerExchange::start(name).error().code, Errc::not_found) << name;
    EXPECT_EQ(ServerExchange::start("pLaIn")->mechanism(), "PLAIN");
}

TEST(Password, LengthsAndBytesAtTheEdge) {
    auto& random = SystemRandom::instance();
    const std::string longest(kMaxPassword, 'p');
    const auto stored = make_password("SSHA256", longest, random).value();
    EXPECT_TRUE(verify_password(stored, longest).value());
    EXPECT_FALSE(verify_password(stored, longest + "p").value()) << "and costs nothing";
    EXPECT_FALSE(verify_password(stored, longest.substr(1)).value());
    EXPECT_FALSE(make_password("SSHA256", longest + "p", random));
    // Only the first bytes would count for crypt(3): a NUL must not cut a password short.
    const auto hashed = make_password("SHA512-CRYPT", "pass", random).value();
    EXPECT_TRUE(verify_password(hashed, "pass").value());
    EXPECT_FALSE(verify_password(hashed, "pass\0word"s).value());
    EXPECT_FALSE(verify_password(hashed, "\0pass"s).value());
}

TEST(Password, EveryHashIsSaltedAfresh) {
    auto& random = SystemRandom::instance();
    for (const char* scheme : {"SSHA", "SSHA512", "SHA256-CRYPT", "ARGON2ID"}) {
        const auto one = make_password(scheme, "x", random),
                   two = make_password(scheme, "x", random);
        ASSERT_TRUE(one && two) << scheme;
        EXPECT_NE(*one, *two) << scheme;
    }
    EXPECT_EQ(make_password("SHA256", "x", random).value(),
              make_password("SHA256", "x", random).value());
}

// One changed character of a stored hash is another hash or a mistake, never a match.
TEST(Password, AChangedHashNeverMatches) {
    for (const char* scheme : {"SHA", "SHA256", "SSHA", "SSHA512"}) {
        const auto stored = make_password(scheme, "secret", SystemRandom::instance()).value();
        for (std::size_t i = stored.find('}') + 1; i < stored.size(); ++i) {
            std::string changed = stored;
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            // The salt's own characters lead to another digest; none to the same.
            EXPECT_FALSE(verify_password(changed, "secret").value_or(false)) << changed;
        }
        for (std::size_t size = stored.find('}') + 1; size < stored.size(); ++size)
            EXPECT_FALSE(verify_password(stored.substr(0, size), "secret").value_or(false)) << size;
    }
}

TEST(Password, LockedAccountsFitNothing) {
    for (const char* stored :
         {"*", "!", "x", "!!", "*LK*", "!$6$saltstring$x", "{CRYPT}*", "{CRYPT}!"}) {
        for (const char* password : {"", "x", "*", "!"})
            EXPECT_FALSE(verify_password(stored, password).value_or(false))
                << stored << " " << password;
    }
}

TEST(PasswdFile, WhatIsWrittenIsReadBack) {
    const std::string values[] = {"", "v"};
    for (unsigned bits = 0; bits < 128; ++bits) {
        PasswdEntry entry;
        entry.user = "u";
        std::string* const fields[] = {&entry.password, &entry.uid,   &entry.gid,  &entry.gecos,
                                       &entry.home,     &entry.shell, &entry.extra};
        for (std::size_t i = 0; i < 7; ++i) *fields[i] = values[bits >> i & 1];
        const auto line = format_passwd_line(entry);
        const auto read = parse_passwd_line(line);
        ASSERT_TRUE(read && *read) << line;
        EXPECT_EQ(**read, entry) << line;
        EXPECT_TRUE(parse_passwd_line(line + "\r\n").value()) << "line ends do not matter";
    }
}

TEST(PasswdFile, LinesThatAreNoEntries) {
    for (const char* nothing : {"", "   ", "# comment", "#u:x"}) {
        const auto line = parse_passwd_line(nothing);
        ASSERT_TRUE(line) << nothing;
        EXPECT_FALSE(*line) << nothing;
    }
    for (const char* bad : {"u", ":x", " u:x", "a b:x", "a/b:x", "..:x", "-u:x"})
        EXPECT_EQ(parse_passwd_line(bad).error().code, Errc::invalid) << bad;
    EXPECT_FALSE(parse_passwd_line(std::string(kMaxUser + 1, 'u') + ":x"));
    EXPECT_TRUE(parse_passwd_line(std::string(kMaxUser, 'u') + ":x"));
}

TEST(PasswdFile, ExtraFieldsAreWholeWords) {
    constexpr std::string_view kExtra =
        "userdb_mail=maildir:~/M a=b=c nologin empty= userdb_mail2=x";
    EXPECT_EQ(extra_field(kExtra, "userdb_mail"), "maildir:~/M");
    EXPECT_EQ(extra_field(kExtra, "a"), "b=c");
    EXPECT_EQ(extra_field(kExtra, "nologin"), "");
    EXPECT_EQ(extra_field(kExtra, "empty"), "");
    for (const char* none : {"userdb", "mail", "b", "nologin=", "", "NOLOGIN"})
        EXPECT_FALSE(extra_field(kExtra, none)) << none;
}

}  // namespace
}  // namespace postern::sasl
