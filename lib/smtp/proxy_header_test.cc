#include "lib/smtp/proxy_header.h"

namespace postern::smtp {
namespace {

TEST(ProxyHeader, Lines) {
    const auto one = parse_proxy_header("PROXY TCP4 192.0.2.1 198.51.100.2 1234 25\r\nEHLO");
    ASSERT_TRUE(one && *one && (*one)->names);
    EXPECT_EQ((*one)->size, 43U);
    EXPECT_EQ((*one)->names->client.str(), "192.0.2.1");
    EXPECT_EQ((*one)->names->server.str(), "198.51.100.2");
    EXPECT_EQ((*one)->names->client_port, 1234);
    EXPECT_EQ((*one)->names->server_port, 25);
    EXPECT_EQ(
        (*parse_proxy_header("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"))->names->client.str(),
        "2001:db8::1");
    EXPECT_FALSE((*parse_proxy_header("PROXY UNKNOWN x\r\n"))->names);
    for (const char* part : {"", "P", "PROXY TCP4 192.0.2.1"}) {
        const auto more = parse_proxy_header(part);
        EXPECT_TRUE(more && !*more) << part;
    }
    for (const char* bad :
         {"EHLO x\r\n", "PROXY TCP4 ::1 ::2 1 2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
          "PROXY TCP4 192.0.2.1 192.0.2.2 1 70000\r\n", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"})
        EXPECT_FALSE(parse_proxy_header(bad)) << bad;
    EXPECT_FALSE(parse_proxy_header("PROXY TCP4 " + std::string(200, 'x')));
}

TEST(ProxyHeader, Binary) {
    const std::string mark("\r\n\r\n\0\r\nQUIT\n", 12);
    const std::string v4 =
        mark + std::string("\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x04\xd2\0\x19", 16);
    const auto one = parse_proxy_header(v4 + "EHLO");
    ASSERT_TRUE(one && *one && (*one)->names);
    EXPECT_EQ((*one)->size, 28U);
    EXPECT_EQ((*one)->names->client.str(), "192.0.2.1");
    EXPECT_EQ((*one)->names->client_port, 1234);
    EXPECT_EQ((*one)->names->server_port, 25);
    for (std::size_t i = 0; i < v4.size(); ++i) {
        const auto more = parse_proxy_header(v4.substr(0, i));
        EXPECT_TRUE(more && !*more) << i;
    }
    std::string v6 = mark + std::string("\x21\x21\0\x24", 4) + std::string(15, '\0') + "\1" +
                     std::string(15, '\0') + "\2" + std::string("\0\1\0\2", 4);
    EXPECT_EQ((*parse_proxy_header(v6))->names->client.str(), "::1");
    const std::string local = mark + std::string("\x20\0\0\0", 4);
    EXPECT_FALSE((*parse_proxy_header(local))->names);
    EXPECT_FALSE(parse_proxy_header(mark + std::string("\x31\x11\0\x0c", 4)));
    EXPECT_FALSE(parse_proxy_header(mark + std::string("\x21\x11\xff\xff", 4)));
    EXPECT_FALSE(
        parse_proxy_header(mark + std::string("\x21\x12\0\x0c", 4) + std::string(12, 'x')));
}

}  // namespace
}  // namespace postern::smtp
