// tcp: and socketmap: against a server of our own, in a thread, over a Unix or TCP socket.
#include "lib/table/server_table.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "lib/base/strings.h"

#include "lib/table/registry.h"

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
