// The examples of URLAUTH (RFC 4467, with RFC 5092's URLs) and URLAUTH=BINARY (RFC 5524).
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class RfcUrlAuth : public SessionTest {
  protected:
    // Message 1 of joe's INBOX: 1.2 is a text, 1.3 a picture with a NUL, 1.4 in an encoding of
    // nobody's
    void SetUp() override {
        SessionTest::SetUp();
        Options options;
        options.user = "joe@example.com";
        c = std::make_unique<Client>(maildir, options);
        c->play(R"(
            C: 1 APPEND INBOX {#+}
            C: Content-Type: multipart/mixed; boundary=a
            C:
            C: --a
            C: Content-Type: multipart/mixed; boundary=b
            C:
            C: --b
            C:
            C: first
            C: --b
            C:
            C: Si vis pacem, para bellum.
            C:
            C: --b
            C: Content-Type: image/png
            C: Content-Transfer-Encoding: base64
            C:
            C: iVBORwA=
            C: --b
            C: Content-Type: image/png
            C: Content-Transfer-Encoding: x-blurdybloop
            C:
            C: aaa
            C: --b--
            C: --a--
            C:
            S: 1 OK ...
        )");
    }
    // Has the server sign it, and names the URL so.
    void sign(const std::string& name, const std::string& section, const std::string& access) {
        c->value("section") = section;
        c->value("access") = access;
        c->play(R"(
            C: g GENURLAUTH "imap://joe@example.com/INBOX/;uid=1/;section=<<section>>;urlauth=<<access>>" INTERNAL
            S: * GENURLAUTH "imap://joe@example.com/INBOX/;uid=1/;section=<<section>>;urlauth=<<access>>:internal:<<token>>"
            S: g OK ...
        )");
        c->value(name) = cat({"imap://joe@example.com/INBOX/;uid=1/;section=", section,
                              ";urlauth=", access, ":internal:", c->value("token")});
        c->forget("token");
    }
    std::unique_ptr<Client> c;
};

TEST_F(RfcUrlAuth, Generate) {  // RFC 4467 6.2, 7
    c->play(R"(
        C: a775 GENURLAUTH "imap://joe@example.com/INBOX/;uid=20/;section=1.2" INTERNAL
        S: a775 BAD ...
        C: a776 GENURLAUTH "imap://example.com/Shared/;uid=20/;section=1.2;urlauth=submit+fred" INTERNAL
        S: a776 BAD ...
        C: a777 GENURLAUTH "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred" INTERNAL
        S: * GENURLAUTH "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:<<token>>"
        S: a777 OK ...
        C: a33 RESETKEY INBOX XSAMPLE
        S: a33 BAD ...
        C: a34 RESETKEY INBOX INTERNAL
        S: a34 OK [URLMECH INTERNAL] ...
    )");
}

// RFC 4467 6.3; the session is joe's, as ours see no other home: what was granted to a submission
// server is NIL to it, so the example is played with "authuser"
TEST_F(RfcUrlAuth, Fetch) {
    sign("url", "1.2", "authuser");
    sign("submitted", "1.2", "submit+fred");
    c->play(R"(
        C: a002 URLFETCH "<<url>>"
        S: * URLFETCH <<url>> {28}
        S: Si vis pacem, para bellum.
        S:
        S: a002 OK ...
        C: a003 URLFETCH "<<submitted>>"
        S: * URLFETCH <<submitted>> NIL
        S: a003 OK ...
    )");
}

TEST_F(RfcUrlAuth, Binary) {  // RFC 5524 5, all examples
    sign("text", "1.2", "anonymous");
    sign("picture", "1.3", "anonymous");
    sign("strange", "1.4", "anonymous");
    sign("nothing", "200", "anonymous");
    const std::string png("\x89PNG\0", 5);
    c->value("png") = png;
    c->play(R"imap(
        C: A001 URLFETCH ("<<text>>" BINARY)
        S: * URLFETCH <<text>> (BINARY {28}
        S: Si vis pacem, para bellum.
        S: )
        S: A001 OK ...
        C: A002 URLFETCH ("<<picture>>" BINARY BODYPARTSTRUCTURE)
        S: * URLFETCH <<picture>> (BODYPARTSTRUCTURE ("image" "png" NIL NIL NIL "binary" 5 ...)) (BINARY ~{5}
        S: <<png>>)
        S: A002 OK ...
        C: A003 URLFETCH ("<<picture>>" BODYPARTSTRUCTURE)
        S: * URLFETCH <<picture>> (BODYPARTSTRUCTURE ("image" "png" NIL NIL NIL "base64" 8 ...))
        S: A003 OK ...
        C: A004 URLFETCH ("<<picture>>" BODYPARTSTRUCTURE BODY)
        S: * URLFETCH <<picture>> (BODYPARTSTRUCTURE ("image" "png" NIL NIL NIL "base64" 8 ...)) (BODY {8}
        S: iVBORwA=)
        S: A004 OK ...
        C: A005 URLFETCH ("<<strange>>" BODYPARTSTRUCTURE BINARY)
        S: * URLFETCH <<strange>> (BODYPARTSTRUCTURE ("image" "png" NIL NIL NIL "x-blurdybloop" 3 ...)) (BINARY NIL)
        S: A005 OK ...
        C: A006 URLFETCH ("<<nothing>>" BODYPARTSTRUCTURE BODY)
        S: * URLFETCH <<nothing>> NIL
        S: A006 OK ...
    )imap");
}

}  // namespace
}  // namespace postern::imapd
