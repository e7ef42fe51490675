// tcp: and socketmap: against a server of our own, in a thread, over a Unix or TCP socket.
#include "lib/table/server_table.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "lib/base/strings.h"

#include "lib/table/ldap_table.h"
#include "lib/table/registry.h"
#include "lib/table/test_files.h"

namespace postern::table {
namespace {

// Accepts `sessions` connections, one after the other, and hands each to `serve`.
class Server {
  public:
    Server(int sessions, std::function<void(int)> serve) {
        listener_ = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(listen(listener_, 5), 0);
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, sessions, serve] {
            for (int i = 0; i < sessions; ++i) {
                const int client = accept(listener_, nullptr, nullptr);
                if (client < 0) return;
                serve(client);
                close(client);
            }
        });
    }
    ~Server() {
        shutdown(listener_, SHUT_RDWR);
        thread_.join();
        close(listener_);
    }
    std::string port() const { return std::to_string(port_); }

  private:
    int listener_ = -1;
    int port_ = 0;
    std::thread thread_;
};

// Answers each packet that comes with what `answer` says; an empty answer closes.
std::function<void(int)> answering(std::function<std::string(std::string)> answer) {
    return [answer](int client) {
        char buffer[8192];
        for (ssize_t got = 0; (got = recv(client, buffer, sizeof buffer, 0)) > 0;) {
            const std::string reply = answer(std::string(buffer, static_cast<std::size_t>(got)));
            if (reply.empty()) return;
            EXPECT_EQ(send(client, reply.data(), reply.size(), MSG_NOSIGNAL),
                      static_cast<ssize_t>(reply.size()));
        }
    };
}

std::string answer_of(Table& table, std::string_view key) {
    auto found = table.lookup(key);
    return found.found() ? *found : found.failed() ? "FAILED " + found.error().what : "none";
}

// What a server may say that is not memcached's protocol, or too much of it.
TEST(MemcacheTable, AnswersThatAreNone) {
    const struct {
        std::string answer, expected;
    } cases[] = {
        {"VALUE a 0 3\r\none\r\nEND\r\n", "one"},
        {"END\r\n", "none"},
        {"VALUE a 0 0\r\n\r\nEND\r\n", ""},
        {"ERROR\r\n", "memcached said: ERROR"},
        {"\r\n", "memcached said: "},
        {"VALUE b 0 3\r\none\r\nEND\r\n", "memcached said: VALUE b"},
        {"VALUE a 0 -3\r\none\r\nEND\r\n", "memcached said: "},
        {"VALUE a 0 99999999999999999999\r\n", "memcached said: "},
        {"VALUE a 0 101\r\n", "more than data_size_limit"},
        {"VALUE a 0 3\r\nonetwo\r\nEND\r\n", "has no end"},
        {"VALUE a 0 3\r\none\r\nMORE\r\n", "has no end"},
        {std::string(2000, 'x') + "\r\n", "FAILED"},
    };
    const TestFiles files;
    for (const auto& c : cases) {
        Server server(1, answering([&](std::string question) {
                          EXPECT_EQ(question, "get a\r\n");
                          return c.answer;
                      }));
        const auto path = files.write("m", "memcache = inet:127.0.0.1:" + server.port() +
                                               "\nmax_try = 1\ndata_size_limit = 100\n");
        auto table = open_table("memcache:" + path);
        ASSERT_TRUE(table) << table.error().what;
        EXPECT_THAT(answer_of(**table, "a"), testing::HasSubstr(c.expected)) << c.answer;
    }
}

TEST(MemcacheTable, BadSettingsAreNamed) {
    const TestFiles files;
    const std::pair<const char*, const char*> cases[] = {
        {"max_try = 0", "max_try = 0: at least one"},
        {"ttl = long", "ttl = long: expected a number"},
        {"backup = nosuch:x", "backup: unsupported dictionary type: nosuch"}};
    for (const auto& [text, why] : cases) {
        auto table = open_table("memcache:" + files.write("m", text));
        ASSERT_FALSE(table) << text;
        EXPECT_THAT(table.error().what, testing::HasSubstr(why));
    }
}

TEST(LdapTable, QuotesWhatAKeyBrings) {
    EXPECT_EQ(quote_filter("a*(b)\\c"), "a\\2a\\28b\\29\\5cc");
    EXPECT_EQ(quote_filter(std::string_view("\0ü", 3)), "\\00ü");
    EXPECT_EQ(quote_name("a,b+c=d"), "a\\,b\\+c\\=d");
    EXPECT_EQ(quote_name(" #x y "), "\\ \\#x y\\ ");
}

TEST(LdapTable, TakesHostsInAnyForm) {
    const auto parsed = [](std::string text) {
        return LdapSettings::from(*TableSettings::parse("t", "search_base = b\n" + text));
    };
    EXPECT_EQ(parsed("")->servers, "ldap://localhost:389");
    EXPECT_EQ(parsed("server_host = a, b:99 ldaps://c\nserver_port = 1389\n")->servers,
              "ldap://a:1389 ldap://b:99 ldaps://c");
    EXPECT_EQ(parsed("query_filter = mail=%s")->query_filter, "(mail=%s)");
    EXPECT_EQ(parsed("")->result, std::vector<std::string>{"maildrop"});
    EXPECT_FALSE(LdapSettings::from(*TableSettings::parse("t", "")));
}

TEST(TcpTable, Asks) {
    Server server(1, answering([](std::string question) -> std::string {
                      if (question == "get a%20b\n") return "200 one%0Atwo\n";
                      if (question == "get long\n") return "200 " + std::string(5000, 'x') + "\n";
                      if (question == "get busy\n") return "400 try later\n";
                      return "500 no\n";
                  }));
    auto table = open_table("tcp:127.0.0.1:" + server.port());
    ASSERT_TRUE(table);
    EXPECT_EQ(answer_of(**table, "a b"), "one\ntwo");
    EXPECT_EQ(answer_of(**table, "c"), "none");
    EXPECT_THAT(answer_of(**table, "busy"),
                testing::HasSubstr("FAILED tcp table: the server said: 400 try later"));
    EXPECT_EQ(answer_of(**table, ""), "none");
    EXPECT_THAT(answer_of(**table, "long"), testing::HasSubstr("too long"));
}

TEST(TcpTable, ConnectsAgainWhenTheServerClosed) {
    int asked = 0;
    Server server(3, answering([&asked](std::string) -> std::string {
                      return ++asked == 2 ? "" : "200 x\n";
                  }));
    auto table = open_table("tcp:127.0.0.1:" + server.port());
    EXPECT_EQ(answer_of(**table, "a"), "x");
    EXPECT_EQ(answer_of(**table, "b"), "x");
    EXPECT_EQ(asked, 3);
}

TEST(TcpTable, NoServer) {
    std::string port;
    {
        port = Server(0, [](int) {}).port();
    }
    auto table = open_table("tcp:127.0.0.1:" + port);
    ASSERT_TRUE(table);
    EXPECT_THAT(answer_of(**table, "a"), testing::HasSubstr("FAILED connect to"));
}

TEST(TcpTable, Encoding) {
    EXPECT_EQ(tcp_encode("a%b c\n\xff"), "a%25b%20c%0A%FF");
    EXPECT_EQ(*tcp_decode("a%25b%20c%0A%ff"), "a%b c\n\xff");
    EXPECT_FALSE(tcp_decode("%"));
    EXPECT_FALSE(tcp_decode("%4"));
    EXPECT_FALSE(tcp_decode("%zz"));
    EXPECT_EQ(*tcp_decode("%41"), "A");
}

TEST(Socketmap, Asks) {
    Server server(2, answering([](std::string question) -> std::string {
                      if (question == "9:virtual a,") return "6:OK one,";
                      if (question == "9:virtual b,") return "9:NOTFOUND ,";
                      if (question == "9:virtual t,") return "10:TEMP later,";
                      if (question == "9:virtual p,") return "8:PERM bad,";
                      return "x:nonsense";
                  }));
    auto table = open_table("socketmap:inet:127.0.0.1:" + server.port() + ":virtual");
    ASSERT_TRUE(table);
    EXPECT_EQ(answer_of(**table, "a"), "one");
    EXPECT_EQ(answer_of(**table, "b"), "none");
    EXPECT_THAT(answer_of(**table, "t"),
                testing::HasSubstr("FAILED socketmap virtual: the server said: TEMP later"));
    EXPECT_THAT(answer_of(**table, "p"), testing::HasSubstr("PERM bad"));
    EXPECT_THAT(answer_of(**table, "q"), testing::HasSubstr("bad answer"));
    EXPECT_EQ(answer_of(**table, "a"), "one");  // on a new connection
}

}  // namespace
}  // namespace postern::table
