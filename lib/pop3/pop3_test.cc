#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/pop3/login_session.h"
#include "lib/pop3/session.h"
#include "lib/pop3/uidl.h"

namespace postern::pop3 {
namespace {

using testing::HasSubstr;
using testing::Not;

// PLAIN and a two-step LOGIN, as lib/sasl does them.
class FakeSasl : public SaslExchange {
  public:
    std::string mechanisms(bool in_clear) override { return in_clear ? "PLAIN LOGIN" : ""; }
    Next begin(std::string_view mechanism, std::optional<std::string_view> initial) override {
        user_.clear();
        login_ = mechanism == "LOGIN";
        if (initial) return on_response(*initial);
        challenge_ = login_ ? "Username:" : "";
        return Next::challenge;
    }
    Next on_response(std::string_view decoded) override {
        if (decoded.empty()) return Next::malformed;
        if (login_ && user_.empty()) {
            user_ = decoded;
            challenge_ = "Password:";
            return Next::challenge;
        }
        message_ = login_ ? make_plain(user_, decoded) : std::string(decoded);
        return Next::ask;
    }
    std::string challenge() override { return challenge_; }
    std::string take_message() override { return message_; }
    std::string make_plain(std::string_view user, std::string_view password) override {
        return cat({"|", user, "|", password});
    }

  private:
    bool login_ = false;
    std::string user_, challenge_, message_;
};

struct Login {
    FakeSasl sasl;
    LoginSession session;
    explicit Login(bool tls = true, bool plaintext = true)
        : session({tls, plaintext, true, "Postern ready."}, sasl) {}
    std::string say(std::string_view line) { return session.on_line(line).reply; }
};

TEST(Login, GreetsAndQuits) {
    Login login;
    EXPECT_EQ(login.session.greet().reply, "+OK Postern ready.\r\n");
    const auto quit = login.session.on_line("quit");
    EXPECT_EQ(quit.reply, "+OK Logging out\r\n");
    EXPECT_EQ(quit.then, LoginAction::Then::close);
}

TEST(Login, UserAndPass) {
    Login login;
    EXPECT_EQ(login.say("PASS x"), "-ERR No username given.\r\n");
    EXPECT_EQ(login.say("USER u1"), "+OK\r\n");
    const auto action = login.session.on_line("PASS  with spaces ");
    EXPECT_EQ(action.then, LoginAction::Then::authenticate);
    EXPECT_EQ(action.message, "|u1| with spaces ");
    EXPECT_EQ(login.session.on_auth_failed(false).reply, "-ERR [AUTH] Authentication failed.\r\n");
    EXPECT_EQ(login.session.on_auth_failed(true).reply,
              "-ERR [SYS/TEMP] Temporary authentication failure.\r\n");
    EXPECT_EQ(login.say("PASS again"), "-ERR No username given.\r\n") << "one try for each USER";
    EXPECT_EQ(login.session.on_no_worker().then, LoginAction::Then::close);
}

TEST(Login, Auth) {
    Login login;
    EXPECT_EQ(login.say("AUTH"), "+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n");
    EXPECT_EQ(login.say("AUTH CRAM-MD5"), "-ERR Unsupported authentication mechanism.\r\n");
    EXPECT_EQ(login.session.on_line("AUTH PLAIN " + base64_encode("secret")).message, "secret");
    EXPECT_EQ(login.say("AUTH PLAIN !!"), "-ERR Invalid base64 data in initial response.\r\n");
    EXPECT_EQ(login.say("auth plain"), "+ \r\n");
    EXPECT_EQ(login.session.line_limit(), kMaxSaslLine);
    EXPECT_EQ(login.session.on_line(base64_encode("secret")).message, "secret");
    EXPECT_EQ(login.session.line_limit(), kMaxCommandLine);
    EXPECT_EQ(login.say("AUTH LOGIN"), "+ " + base64_encode("Username:") + "\r\n");
    EXPECT_EQ(login.say(base64_encode("u1")), "+ " + base64_encode("Password:") + "\r\n");
    const auto done = login.session.on_line(base64_encode("p"));
    EXPECT_EQ(done.message, "|u1|p");
    EXPECT_EQ(done.mechanism, "LOGIN");
    EXPECT_EQ(login.say("AUTH PLAIN"), "+ \r\n");
    EXPECT_EQ(login.say("*"), "-ERR Authentication aborted by client.\r\n");
    EXPECT_EQ(login.say("AUTH PLAIN ="), "-ERR [AUTH] Authentication failed.\r\n");
    EXPECT_EQ(login.say("AUTH PLAIN a b"), "-ERR Invalid arguments.\r\n");
}

TEST(Login, PlaintextIsRefusedWithoutTls) {
    Login login(true, false);
    EXPECT_THAT(login.say("USER u1"), HasSubstr("disallowed"));
    EXPECT_THAT(login.say("AUTH PLAIN AHUAcA=="), HasSubstr("disallowed"));
    EXPECT_THAT(login.say("CAPA"), HasSubstr("STLS"));
    EXPECT_THAT(login.say("CAPA"), Not(HasSubstr("SASL")));
    const auto stls = login.session.on_line("STLS");
    EXPECT_EQ(stls.then, LoginAction::Then::start_tls);
    login.session.on_tls();
    EXPECT_THAT(login.say("CAPA"), Not(HasSubstr("STLS")));
    EXPECT_THAT(login.say("CAPA"), HasSubstr("SASL PLAIN LOGIN"));
    EXPECT_EQ(login.say("USER u1"), "+OK\r\n");
    EXPECT_THAT(login.say("STLS"), HasSubstr("already"));
}

// RFC 6856 2, RFC 2449 6.7
TEST(Login, Utf8AndExpire) {
    Login login;
    EXPECT_THAT(login.say("CAPA"), HasSubstr("\r\nEXPIRE NEVER\r\nUTF8 USER\r\n"));
    EXPECT_EQ(login.say("UTF8"), "+OK\r\n");
    EXPECT_EQ(login.say("utf8 x"), "-ERR Invalid arguments.\r\n");
    EXPECT_EQ(login.say("USER j\xc3\xbcrgen"), "+OK\r\n");
}

TEST(Login, TlsForgetsTheUser) {
    Login login;
    EXPECT_EQ(login.say("USER u1"), "+OK\r\n");
    login.session.on_tls();
    EXPECT_EQ(login.say("PASS x"), "-ERR No username given.\r\n");
}

TEST(Login, NoTls) {
    Login login(false, true);
    EXPECT_THAT(login.say("STLS"), HasSubstr("-ERR"));
    EXPECT_THAT(login.say("CAPA"), Not(HasSubstr("STLS")));
}

TEST(Login, EndsAfterTooManyErrors) {
    Login login;
    for (unsigned i = 1; i < kMaxBadCommands; ++i) {
        EXPECT_EQ(login.session.on_line("X").then, LoginAction::Then::go_on);
    }
    EXPECT_EQ(login.session.on_line_too_long().then, LoginAction::Then::close);
}

Session three() {
    return Session({100, 200, 300}, [](std::size_t index) { return std::string(1, "abc"[index]); });
}

TEST(Session, Dialogue) {
    const struct {
        std::string line, reply;
    } dialogue[] = {
        {"STAT", "+OK 3 600\r\n"},
        {"LIST", "+OK scan listing follows\r\n1 100\r\n2 200\r\n3 300\r\n.\r\n"},
        {"list 2", "+OK 2 200\r\n"},
        {"UIDL 3", "+OK 3 c\r\n"},
        {"DELE 2", "+OK Marked to be deleted.\r\n"},
        {"DELE 2", "-ERR Message is deleted.\r\n"},
        {"LIST 2", "-ERR Message is deleted.\r\n"},
        {"RETR 2", "-ERR Message is deleted.\r\n"},
        {"STAT", "+OK 2 400\r\n"},
        {"UIDL", "+OK\r\n1 a\r\n3 c\r\n.\r\n"},
        {"RSET", "+OK\r\n"},
        {"STAT", "+OK 3 600\r\n"},
        {"NOOP", "+OK\r\n"},
        {"RETR 4", "-ERR There's no message 4.\r\n"},
        {"RETR 0", "-ERR There's no message 0.\r\n"},
        {"RETR x", "-ERR Invalid message number: x\r\n"},
        {"RETR", "-ERR Invalid message number: \r\n"},
        {"RETR 99999999999999999999", "-ERR Invalid message number: 99999999999999999999\r\n"},
        {"TOP 1", "-ERR Line count missing or invalid.\r\n"},
        {"TOP 1 -1", "-ERR Line count missing or invalid.\r\n"},
        {"XYZ", "-ERR Unknown command: XYZ\r\n"},
    };
    auto session = three();
    for (const auto& c : dialogue) EXPECT_EQ(session.on_line(c.line).reply, c.reply) << c.line;
}

TEST(Session, RetrieveAndTop) {
    auto session = three();
    const auto retr = session.on_line("RETR 3");
    EXPECT_EQ(retr.reply, "+OK 300 octets\r\n");
    EXPECT_EQ(retr.then, Action::Then::send_message);
    EXPECT_EQ(retr.index, 2U);
    EXPECT_FALSE(retr.lines);
    const auto top = session.on_line("TOP 1 5");
    EXPECT_EQ(top.lines, 5U);
    EXPECT_EQ(session.retrieved(), (std::vector<bool>{false, false, false})) << "not yet";
    session.on_sent(retr.index);
    EXPECT_EQ(session.retrieved(), (std::vector<bool>{false, false, true}));
}

TEST(Session, QuitUpdates) {
    auto session = three();
    EXPECT_EQ(session.on_update(true).reply, "+OK Logging out.\r\n");
    (void)session.on_line("DELE 1");
    EXPECT_EQ(session.on_line("QUIT").then, Action::Then::update);
    EXPECT_EQ(session.deleted(), (std::vector<bool>{true, false, false}));
    EXPECT_EQ(session.on_update(true).reply, "+OK Logging out, messages deleted.\r\n");
    EXPECT_EQ(session.on_update(false).reply,
              "-ERR [SYS/TEMP] Some messages were not removed.\r\n");
}

// RFC 5034 4, RFC 2449 6: the same as before the login
TEST(Session, CapabilitiesStay) {
    Session session({}, {}, {900, true, "SCRAM-SHA-256 PLAIN"});
    EXPECT_EQ(session.on_line("CAPA").reply,
              "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n"
              "EXPIRE NEVER\r\nLOGIN-DELAY 900\r\nUTF8 USER\r\nUSER\r\n"
              "SASL SCRAM-SHA-256 PLAIN\r\nIMPLEMENTATION Postern\r\n.\r\n");
}

TEST(Session, EmptyMaildrop) {
    Session session({}, {});
    EXPECT_EQ(session.on_line("STAT").reply, "+OK 0 0\r\n");
    EXPECT_EQ(session.on_line("LIST").reply, "+OK scan listing follows\r\n.\r\n");
    EXPECT_THAT(session.on_line("CAPA").reply, HasSubstr("\r\nUIDL\r\n"));
    EXPECT_THAT(session.on_line("CAPA").reply, HasSubstr("\r\nEXPIRE NEVER\r\n"));
}

std::string encoded(std::string_view text, std::optional<std::uint64_t> lines, std::size_t piece) {
    MessageEncoder encoder(lines);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += piece)
        encoder.encode(text.substr(at, piece), out);
    encoder.finish(out);
    return out;
}

TEST(Encoder, StuffsAndEndsLines) {
    const struct {
        std::string text;
        std::optional<std::uint64_t> lines;
        std::string wire;
    } cases[] = {
        {"A: b\n\nhi\n", {}, "A: b\r\n\r\nhi\r\n.\r\n"},
        {"A: b\r\n\r\nhi\r\n", {}, "A: b\r\n\r\nhi\r\n.\r\n"},
        {"A: b\n\n.\n..x\n", {}, "A: b\r\n\r\n..\r\n...x\r\n.\r\n"},
        {"no end", {}, "no end\r\n.\r\n"},
        {"ends in cr\r", {}, "ends in cr\r\n.\r\n"},
        {"lone\rcr\n", {}, "lone\rcr\r\n.\r\n"},
        {"\r\r\n", {}, "\r\r\n.\r\n"},
        {"", {}, ".\r\n"},
        {"a\n\r..\n", {}, "a\r\n\r..\r\n.\r\n"},
        {".", {}, "..\r\n.\r\n"},
        {"A: b\n\n1\n2\n3\n", 0, "A: b\r\n\r\n.\r\n"},
        {"A: b\n\n1\n2\n3\n", 2, "A: b\r\n\r\n1\r\n2\r\n.\r\n"},
        {"A: b\n\n1\n", 9, "A: b\r\n\r\n1\r\n.\r\n"},
        {"A: b\n", 0, "A: b\r\n.\r\n"},
        {"A: b\n\n\n\nx\n", 1, "A: b\r\n\r\n\r\n.\r\n"},
    };
    for (const auto& c : cases)
        for (const std::size_t piece : {1U, 2U, 3U, 100U})
            EXPECT_EQ(encoded(c.text, c.lines, piece), c.wire)
                << printable(c.text) << " in pieces of " << piece;
}

TEST(Uidl, Formats) {
    const struct {
        std::string format, want;  // "": refused
    } cases[] = {
        {"%08Xu%08Xv", "0000001B499602D2"},  // Dovecot's default
        {"%v.%u", "1234567890.27"},          // Dovecot's for Cyrus
        {"UID%u-%v", "UID27-1234567890"},    // Courier
        {"%f", "1700000000.M1P2.host,S=3"},  // older Courier
        {"%xu", "1b"},
        {"%5u", ""},
        {"%05u", "00027"},
        {"%%%u", "%27"},
        {"a b%u", ""},
        {"", ""},
        {"%", ""},
        {"%q", ""},
        {"%999999999u", ""},
        {"%070u", std::string(68, '0') + "27"},
        {"%f%f%f%f", ""},
        {"\xc3\xbc%u", ""},
    };
    for (const auto& c : cases)
        EXPECT_EQ(format_uidl(c.format, 27, 1234567890, "1700000000.M1P2.host,S=3").value_or(""),
                  c.want)
            << c.format;
}

}  // namespace
}  // namespace postern::pop3
