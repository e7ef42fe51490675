// Dovecot's protocol: what a server says and what we may say.
#include "lib/sasl/dovecot_client.h"

namespace postern::sasl {
namespace {

DovecotClient greeted() {
    DovecotClient client;
    for (const char* line :
         {"VERSION\t1\t2", "MECH\tPLAIN\tplaintext", "MECH\tCRAM-MD5\tdictionary\tactive",
          "MECH\tANONYMOUS\tanonymous", "MECH\tEXTERNAL\tprivate", "MECH\tGSSAPI\tmutual-auth",
          "SPID\t77", "CUID\t5", "COOKIE\t00ff", "DONE"}) {
        EXPECT_FALSE(client.ready());
        const auto reply = client.on_line(line);
        EXPECT_TRUE(reply) << line;
        if (reply) {
            EXPECT_FALSE(reply->has_value());
        }
    }
    EXPECT_TRUE(client.ready());
    return client;
}

TEST(DovecotClient, FiltersMechanisms) {
    const auto client = greeted();
    const std::vector<std::string> all = {"!external", "static:rest"};
    const struct {
        std::vector<std::string> rules, filter;
        const char* names;
    } cases[] = {
        {{}, {}, "PLAIN CRAM-MD5 ANONYMOUS GSSAPI"},
        {{"noanonymous"}, all, "PLAIN CRAM-MD5 GSSAPI"},
        {{"noanonymous", "noplaintext"}, all, "CRAM-MD5 GSSAPI"},
        {{"nodictionary"}, all, "PLAIN ANONYMOUS GSSAPI"},
        {{"NOACTIVE", "noanonymous"}, all, "PLAIN GSSAPI"},
        {{"mutual_auth"}, all, "GSSAPI"},
        {{"forward_secrecy"}, all, ""},
        {{}, {"plain", "cram-md5"}, "PLAIN CRAM-MD5"},
        {{}, {"!plain", "static:x"}, "CRAM-MD5 ANONYMOUS GSSAPI"},
        {{}, {"!static:x"}, ""},
    };
    for (const auto& c : cases)
        EXPECT_EQ(permitted_mechanisms(client.mechanisms(), c.rules, c.filter), c.names);
    EXPECT_THAT(foreign_filter_words({"!external", "hash:/etc/x", "static:a", "/etc/list"}),
                testing::ElementsAre("hash:/etc/x", "/etc/list"));
}

TEST(DovecotClient, Replies) {
    using Kind = DovecotReply::Kind;
    const struct {
        const char* line;
        Kind kind;
        std::uint32_t id;
        const char *user, *challenge, *reason;
        bool temporary;
    } cases[] = {
        {"OK\t1\tuser=me@example.test\tother", Kind::ok, 1, "me@example.test", "", "", false},
        {"OK\t2", Kind::fail, 2, "", "", "", true},  // nobody is nobody
        {"OK\t2\tuser=a\001nb", Kind::fail, 2, "", "", "", true},
        {"OK\t2\tuser=a\0011b", Kind::fail, 2, "", "", "", true},
        {"FAIL\t3\tuser=me\treason=No\001tway", Kind::fail, 3, "me", "", "No?way", false},
        {"FAIL\t3\ttemp", Kind::fail, 3, "", "", "", true},
        {"FAIL\t3\tcode=temp_fail", Kind::fail, 3, "", "", "", true},
        {"CONT\t4\tUGFzcw==", Kind::challenge, 4, "", "UGFzcw==", "", false},
        {"CONT\t4\t", Kind::challenge, 4, "", "", "", false},
    };
    auto client = greeted();
    for (const auto& c : cases) {
        const auto reply = client.on_line(c.line);
        ASSERT_TRUE(reply && reply->has_value()) << c.line;
        EXPECT_EQ((*reply)->kind, c.kind) << c.line;
        EXPECT_EQ((*reply)->id, c.id);
        EXPECT_EQ((*reply)->user, c.user);
        EXPECT_EQ((*reply)->challenge, c.challenge);
        EXPECT_EQ((*reply)->reason, c.reason);
        EXPECT_EQ((*reply)->temporary, c.temporary) << c.line;
    }
}

TEST(DovecotClient, RefusesWhatIsNoSuchServer) {
    for (const char* line : {"VERSION\t2\t0", "VERSION", "MECH", "MECH\t", "DONE"}) {
        DovecotClient client;
        EXPECT_FALSE(client.on_line(line)) << line;
        EXPECT_FALSE(client.ready());
    }
    auto client = greeted();
    for (const char* line : {"OK", "FAIL\tx", "CONT\t", "CONT\t1\t*not base64*", "OK\t99999999999"})
        EXPECT_FALSE(client.on_line(line)) << line;
    const auto other = client.on_line("NEWS\t1");
    ASSERT_TRUE(other);
    EXPECT_FALSE(other->has_value());
    DovecotClient many;
    ASSERT_TRUE(many.on_line("VERSION\t1\t0"));
    bool refused = false;
    for (int i = 0; i < 100 && !refused; ++i)
        refused = !many.on_line("MECH\tX" + std::to_string(i));
    EXPECT_TRUE(refused);
}

TEST(DovecotClient, Requests) {
    EXPECT_EQ(DovecotClient::hello(42), "VERSION\t1\t1\nCPID\t42\n");
    DovecotRequest request{7, "PLAIN", "192.0.2.1", "2001:db8::1", false, false, ""};
    EXPECT_EQ(DovecotClient::start(request).value(),
              "AUTH\t7\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.1\trip=2001:db8::1\n");
    request.secured = request.has_response = true;
    request.response = "AGEAYg==";
    EXPECT_EQ(DovecotClient::start(request).value(),
              "AUTH\t7\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.1\trip=2001:db8::1\tsecured"
              "\tresp=AGEAYg==\n");
    // Nothing that a client says may leave its field.
    for (const char* bad : {"a\tvalid-client-cert", "AAAA\n", "AAA"}) {
        request.response = bad;
        EXPECT_FALSE(DovecotClient::start(request)) << bad;
        EXPECT_FALSE(DovecotClient::go_on(7, bad)) << bad;
    }
    request.response.clear();
    request.mechanism = "PLAIN\tsecured";
    EXPECT_FALSE(DovecotClient::start(request));
    EXPECT_EQ(DovecotClient::go_on(7, "").value(), "CONT\t7\t\n");
    EXPECT_EQ(DovecotClient::cancel(7), "CANCEL\t7\n");
}

}  // namespace
}  // namespace postern::sasl
