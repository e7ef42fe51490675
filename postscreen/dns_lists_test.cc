#include "postscreen/dns_lists.h"

#include "postscreen/proxy_line.h"

namespace postern::postscreen {
namespace {

TEST(DnsList, IsParsed) {
    const auto plain = DnsList::parse("list.test");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->domain(), "list.test");
    EXPECT_EQ(plain->weight(), 1);
    EXPECT_TRUE(plain->counts("127.0.0.99"));
    const auto full = DnsList::parse("list.test=127.0.[0;2].[2;4..8]*-3");
    ASSERT_TRUE(full);
    EXPECT_EQ(full->domain(), "list.test");
    EXPECT_EQ(full->weight(), -3);
    for (const char* yes : {"127.0.0.2", "127.0.0.4", "127.0.2.8", "127.0.0.6"})
        EXPECT_TRUE(full->counts(yes)) << yes;
    for (const char* no :
         {"127.0.0.3", "127.0.1.2", "127.0.0.9", "126.0.0.2", "", "::1", "127.0.0"})
        EXPECT_FALSE(full->counts(no)) << no;
    EXPECT_EQ(DnsList::parse("list.test*2")->weight(), 2);
}

TEST(DnsList, NonsenseIsNamed) {
    for (const char* bad : {"", "=127.0.0.1", "x*y", "x*99999", "x=127.0.0", "x=127.0.0.256",
                            "x=127.0.0.[8..2]", "x=127.0.0.[a]", "x=127.0.0.", "x=1.2.3.4.5"}) {
        const auto list = DnsList::parse(bad);
        ASSERT_FALSE(list) << bad;
        EXPECT_NE(list.error().what.find("bad list"), std::string::npos) << bad;
    }
}

TEST(ListScore, SumsWhatCounts) {
    const std::vector<DnsList> lists = {
        *DnsList::parse("a.test=127.0.0.2*2"), *DnsList::parse("b.test*3"),
        *DnsList::parse("a.test=127.0.0.[2..9]"), *DnsList::parse("good.test*-4")};
    ListScore score(lists);
    EXPECT_EQ(score.domains(), (std::vector<std::string>{"a.test", "b.test", "good.test"}));
    EXPECT_LT(score.lifetime(), Seconds{0});
    score.add("a.test", {"127.0.0.9", "127.0.0.2"}, Seconds{600});
    EXPECT_EQ(score.rank(), 3);
    EXPECT_EQ(score.reason(), "a.test");
    score.add("b.test", {"127.0.0.1"}, Seconds{60});
    EXPECT_EQ(score.rank(), 6);
    EXPECT_EQ(score.reason(), "b.test");
    score.add("good.test", {}, Seconds{900});
    EXPECT_EQ(score.rank(), 6);
    score.add("good.test", {"127.0.0.1"}, Seconds{900});
    EXPECT_EQ(score.rank(), 2);
    EXPECT_EQ(score.reason(), "b.test");
    EXPECT_EQ(score.lifetime(), Seconds{60});
}

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
}  // namespace postern::postscreen
