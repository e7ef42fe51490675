#include "lib/net/http.h"

#include "lib/base/strings.h"

namespace postern::net {
namespace {

TEST(Http, Urls) {
    const auto url = parse_url("https://Auth.example.test:8443/introspect?x=1");
    ASSERT_TRUE(url) << url.error().what;
    EXPECT_TRUE(url->secure);
    EXPECT_EQ(url->host, "Auth.example.test");
    EXPECT_EQ(url->port, 8443);
    EXPECT_EQ(url->target, "/introspect?x=1");
    EXPECT_EQ(url->authority, "Auth.example.test:8443");
    EXPECT_EQ(parse_url("http://h")->target, "/");
    EXPECT_EQ(parse_url("http://h?q")->target, "/?q");
    EXPECT_EQ(parse_url("http://h")->port, 80);
    EXPECT_EQ(parse_url("HTTPS://[::1]/")->host, "::1");
    EXPECT_EQ(parse_url("https://h/")->port, 443);
    for (const char* bad :
         {"", "ftp://h/", "https://", "https:///x", "https://u:p@h/", "https://h/#f",
          "https://h/a b", "https://h/\r\nX: y", "https://h:x/", "//h/", "h"})
        EXPECT_EQ(parse_url(bad).error().code, Errc::invalid) << bad;
    EXPECT_EQ(url_encode("aZ9-._~ /+=\xc3"), "aZ9-._~%20%2F%2B%3D%C3");
}

TEST(Http, Requests) {
    HttpRequest request{"POST", parse_url("http://h:81/x").value(), {{"A", "b"}}, "body"};
    EXPECT_EQ(
        http_text(request),
        "POST /x HTTP/1.1\r\nHost: h:81\r\nConnection: close\r\nA: b\r\nContent-Length: 4\r\n\r\n"
        "body");
}

TEST(Http, Answers) {
    const struct {
        std::string bytes;
        bool ended;
        int status;
        const char* body;
    } cases[] = {{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", false, 200, "ab"},
                 {"HTTP/1.0 404 No\r\ncontent-length:2 \r\n\r\nabc", false, 404, "ab"},
                 {"HTTP/1.1 200\r\n\r\nabc", true, 200, "abc"},
                 {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", false,
                  204, ""},
                 {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                  "Chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n",
                  false, 200, "abc0123456789"}};
    for (const auto& c : cases) {
        const auto answer = parse_http_response(c.bytes, c.ended);
        ASSERT_TRUE(answer) << c.bytes << answer.error().what;
        ASSERT_TRUE(*answer) << c.bytes;
        EXPECT_EQ((*answer)->status, c.status);
        EXPECT_EQ((*answer)->body, c.body);
        // As long as something is missing, more is wanted; a server that ends then has not
        // answered.
        for (std::size_t size = 0; size + 4 < c.bytes.size() && !c.ended; ++size) {
            const auto part = parse_http_response(std::string_view(c.bytes).substr(0, size), false);
            ASSERT_TRUE(part) << size;
        }
    }
    EXPECT_FALSE(*parse_http_response("HTTP/1.1 200 OK\r\n\r\nabc", false));
    EXPECT_FALSE(parse_http_response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true));
    EXPECT_FALSE(parse_http_response("", true));
}

TEST(Http, AnswersThatAreNone) {
    const std::string bad[] = {
        "SSH-2.0-x\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 x\r\n\r\n",
        "HTTP/1.1 99 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc"};
    for (const auto& bytes : bad)
        EXPECT_EQ(parse_http_response(bytes, false).error().code, Errc::invalid) << bytes;
    EXPECT_EQ(parse_http_response(std::string(kMaxHttpAnswer + 1, 'x'), false).error().code,
              Errc::no_space);
    EXPECT_EQ(parse_http_response("HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" +
                                      std::string(kMaxHttpAnswer, 'x'),
                                  false)
                  .error()
                  .code,
              Errc::no_space);
}

}  // namespace
}  // namespace postern::net
