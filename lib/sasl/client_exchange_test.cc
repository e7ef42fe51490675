// The client's half of SASL: which mechanism, what is said, and what is never said.
#include "lib/sasl/client_exchange.h"

namespace postern::sasl {
namespace {

using Words = std::vector<std::string>;

ClientPolicy policy(const Words& options) { return *ClientPolicy::parse(options); }

TEST(ClientExchange, ChoosesTheOneThatTellsLeast) {
    struct Case {
        Words offered, options;
        std::string chosen;
    };
    const Case cases[] = {
        {{"PLAIN", "LOGIN", "CRAM-MD5"}, {"noanonymous"}, "CRAM-MD5"},
        {{"LOGIN", "plain"}, {}, "PLAIN"},
        {{"LOGIN"}, {"noanonymous"}, "LOGIN"},
        {{"LOGIN", "PLAIN"}, {"noplaintext", "noanonymous"}, ""},
        {{"CRAM-MD5"}, {"NoPlaintext"}, "CRAM-MD5"},
        {{"CRAM-MD5"}, {"mutual_auth"}, ""},
        {{"GSSAPI", "NTLM"}, {}, ""},
        {{}, {}, ""},
    };
    for (const Case& c : cases) {
        auto exchange = ClientExchange::start(c.offered, policy(c.options), "u", "p");
        EXPECT_EQ(exchange ? exchange->mechanism() : "", c.chosen);
        if (!exchange) {
            EXPECT_EQ(exchange.error().code, Errc::not_found);
        }
    }
    EXPECT_FALSE(ClientPolicy::parse({"noplain"}));
}

TEST(ClientExchange, PlainSaysAllAtOnceAndNothingTwice) {
    auto exchange = *ClientExchange::start({"PLAIN"}, {}, "tim", "tanstaaf");
    EXPECT_EQ(exchange.initial_response(), std::string("\0tim\0tanstaaf", 13));
    EXPECT_FALSE(exchange.respond("again"));
}

TEST(ClientExchange, PlainAfterAnEmptyChallenge) {
    auto exchange = *ClientExchange::start({"PLAIN"}, {}, "tim", "tanstaaf");
    EXPECT_EQ(*exchange.respond(""), std::string("\0tim\0tanstaaf", 13));
    EXPECT_FALSE(exchange.respond(""));
}

TEST(ClientExchange, LoginByOrderWhateverTheServerCallsIt) {
    auto exchange = *ClientExchange::start({"LOGIN"}, {}, "tim", "secret");
    EXPECT_FALSE(exchange.initial_response());
    EXPECT_EQ(*exchange.respond("Benutzer:"), "tim");
    EXPECT_EQ(*exchange.respond(""), "secret");
    EXPECT_FALSE(exchange.respond("Password:"));
}

TEST(ClientExchange, CramMd5) {  // RFC 2195 2
    auto exchange = *ClientExchange::start({"CRAM-MD5"}, {}, "tim", "tanstaaftanstaaf");
    EXPECT_FALSE(exchange.initial_response());
    EXPECT_EQ(*exchange.respond("<1896.697170952@postoffice.reston.mci.net>"),
              "tim b913a602c7eda7a495b4e6e7334d3890");
    EXPECT_FALSE(exchange.respond("<more>"));
    auto empty = *ClientExchange::start({"CRAM-MD5"}, {}, "tim", "x");
    EXPECT_FALSE(empty.respond(""));
}

}  // namespace
}  // namespace postern::sasl
