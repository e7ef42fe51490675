// What a client makes of a server's extensions.
#include "lib/smtp/client_session.h"

namespace postern::smtp {
namespace {

Extensions offered(std::string_view answer, std::vector<std::string> ignored) {
    ClientOptions options;
    options.ignored_extensions = std::move(ignored);
    ClientSession session(options, {"mx.test", "192.0.2.1", 25});
    session.on_connected();
    session.on_input("220 hello\r\n");
    session.on_input(answer);
    return session.extensions();
}

TEST(ClientExtensions, IgnoredAsTold) {
    constexpr std::string_view kAnswer =
        "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 DSN\r\n";
    const Extensions all = offered(kAnswer, {});
    EXPECT_TRUE(all.pipelining && all.size && all.eight_bit_mime && all.dsn);
    const Extensions some = offered(kAnswer, {"dsn", "PIPELINING", "silent-discard"});
    EXPECT_TRUE(some.size && some.eight_bit_mime);
    EXPECT_FALSE(some.dsn || some.pipelining);
}

}  // namespace
}  // namespace postern::smtp
