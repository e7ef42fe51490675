#include "introspect/introspector.h"

#include "lib/base/encode.h"

namespace postern::introspect {
namespace {

using testing::HasSubstr;
using testing::Not;

Options options(Mode mode) {
    Options o;
    o.url = net::parse_url("https://auth.test/introspect?t=").value();
    o.mode = mode;
    o.client_id = "postern";
    o.client_secret = "s:3/";
    return o;
}

TEST(Introspect, Requests) {
    const auto post = net::http_text(request_for(options(Mode::post), "to+ken"));
    EXPECT_THAT(post, testing::StartsWith("POST /introspect?t= HTTP/1.1\r\nHost: auth.test\r\n"));
    EXPECT_THAT(post, HasSubstr("\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    EXPECT_THAT(
        post, HasSubstr("\r\nAuthorization: Basic " + base64_encode("postern:s%3A3%2F") + "\r\n"));
    EXPECT_THAT(post, testing::EndsWith("\r\n\r\ntoken=to%2Bken&token_type_hint=access_token"));
    const auto get = net::http_text(request_for(options(Mode::get), "to+ken"));
    EXPECT_THAT(get, testing::StartsWith("GET /introspect?t=to%2Bken HTTP/1.1\r\n"));
    const auto auth = net::http_text(request_for(options(Mode::auth), "to+ken"));
    EXPECT_THAT(auth, HasSubstr("\r\nAuthorization: Bearer to+ken\r\n"));
    EXPECT_THAT(auth, Not(HasSubstr("Basic")));
}

TEST(Introspect, Answers) {
    const struct {
        Mode mode;
        int status;
        const char* body;
        bool active, error;
    } cases[] = {{Mode::post, 200, "{\"active\":true,\"email\":\"a\"}", true, false},
                 {Mode::post, 200, "{\"active\":false}", false, false},
                 {Mode::post, 200, "{\"active\":\"true\"}", false, false},
                 {Mode::post, 200, "{}", false, false},
                 {Mode::post, 401, "{}", false, true},  // it does not know us
                 {Mode::post, 500, "", false, true},
                 {Mode::post, 302, "", false, true},
                 {Mode::post, 200, "<html>", false, true},
                 {Mode::post, 200, "[]", false, true},
                 {Mode::get, 200, "{\"email\":\"a\"}", true, false},
                 {Mode::auth, 200, "{\"active\":false}", false, false},
                 {Mode::auth, 401, "", false, false},
                 {Mode::get, 400, "{}", false, false},
                 {Mode::get, 503, "{}", false, true}};
    for (const auto& c : cases) {
        const auto answer = answer_of(c.mode, {c.status, c.body});
        EXPECT_EQ(answer.active, c.active) << c.status << c.body;
        EXPECT_EQ(!answer.error.empty(), c.error) << c.status << c.body << answer.error;
        EXPECT_EQ(answer.claims, c.active ? c.body : "");
    }
}

}  // namespace
}  // namespace postern::introspect
