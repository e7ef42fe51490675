#include "lib/log/log.h"

#include "lib/log/address_form.h"

#include <fcntl.h>
#include <unistd.h>

namespace postern::log {
namespace {

std::string logged_to_file(Options options, const std::function<void()>& act) {
    char name[] = "log_test_XXXXXX";
    const int fd = ::mkstemp(name);
    EXPECT_GE(fd, 0);
    open_file(std::move(options), Fd(::dup(fd)));
    act();
    open_stderr({});
    char buffer[8192];
    const ssize_t n = ::pread(fd, buffer, sizeof buffer, 0);
    ::close(fd);
    ::unlink(name);
    return std::string(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
}

TEST(Log, FileLinesHaveSyslogsShape) {
    const std::string line = logged_to_file({.tag = "postfix/smtpd"}, [] { info("4cQ1", "client=a[1.2.3.4]"); });
    EXPECT_THAT(line, testing::MatchesRegex("[A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]+ [^ ]+ postfix/smtpd\\[[0-9]+\\]: 4cQ1: client=a\\[1.2.3.4\\]\n"));
}

TEST(Log, ControlCharactersCannotForgeLines) {
    const std::string line = logged_to_file({}, [] { warning("", "helo=<x\r\nNov 21 forged>"); });
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    EXPECT_NE(line.find("warning: helo=<x??Nov"), std::string::npos);
}

TEST(Log, JsonKeepsFields) {
    const std::string line = logged_to_file({.tag = "t", .json = true}, [] { info("ID", "said \"hi\"", {kv("to", "a@b"), kv("size", 7)}); });
    EXPECT_NE(line.find(R"("id":"ID","text":"said \"hi\"","to":"a@b","size":"7")"), std::string::npos) << line;
}

TEST(Log, LongTextIsCut) {
    const std::string line = logged_to_file({}, [] { info("", std::string(100000, 'x')); });
    EXPECT_LT(line.size(), 4300U);
}

TEST(Log, InternalAddresses) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"from=<\"a b\"@c>, size=1", "from=<a b@c>, size=1"},
        {"to=<\"a\\\"b\\\\\"@c>, orig_to=<\"x y\">, x", "to=<a\"b\\@c>, orig_to=<x y>, x"},
        {"to=<a@b>, helo=<\"x\">", "to=<a@b>, helo=<\"x\">"},
        {"to=<\"never closed", "to=<\"never closed"},
        {"to=<\"", "to=<\""},
        {"", ""},
    };
    for (const auto& [line, internal] : cases) EXPECT_EQ(with_internal_addresses(line), internal);
    open_capture({.internal_addresses = true});
    info("", "from=<\"a b\"@c>");
    EXPECT_EQ(take_captured(), "info from=<a b@c>\n");
}

TEST(Log, CaptureAndDebug) {
    open_capture();
    debug("", "hidden");
    set_debug(true);
    debug("Q", "seen");
    EXPECT_EQ(take_captured(), "debug Q: seen\n");
    open_stderr({});
}

}  // namespace
}  // namespace postern::log
