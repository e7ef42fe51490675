#include "local/user_facts.h"

namespace postern::local {
namespace {

constexpr std::string_view kFilter =
    "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

UserFacts facts(std::string address) {
    Target target;
    target.address = std::move(address);
    target.user = "u1";
    target.home = "/home/u1";
    return facts_of(target, "+-");
}

TEST(UserFacts, AreTakenFromTheAddress) {
    const auto f = facts("u1-list+x@here.test");
    EXPECT_EQ(f.local, "u1-list+x");
    EXPECT_EQ(f.domain, "here.test");
    EXPECT_EQ(f.extension, "list+x");
    EXPECT_EQ(f.delimiter, "-");
    EXPECT_EQ(facts("\"u 1\"@here.test").local, "u 1");
    EXPECT_EQ(facts("u1").extension, "");
}

TEST(UserFacts, NameForwardFiles) {
    const std::string path = "$home/.forward${recipient_delimiter}${extension}, $home/.forward";
    const struct {
        std::string path, address, expected;
    } cases[] = {
        {path, "u1@here.test", "/home/u1/.forward"},
        {path, "u1+list@here.test", "/home/u1/.forward+list /home/u1/.forward"},
        {path, "u1+a$b@here.test", "/home/u1/.forward+a_b /home/u1/.forward"},
        {path, "u1+../../../etc/x@here.test", "/home/u1/.forward"},
        {"/var/forward/$user", "u1@here.test", "/var/forward/u1"},
        {"/var/forward/$domain/$local", "u1@here.test", "/var/forward/here.test/u1"},
        {"$home/.f${extension?x}", "u1@here.test", "/home/u1/.f"},
        {"$home/.f${extension?x}", "u1+y@here.test", "/home/u1/.fx"},
        {"$shell/x $(nosuch)/y relative", "u1@here.test", ""},
        {"", "u1@here.test", ""},
    };
    for (const auto& c : cases) {
        std::string shown;
        for (const auto& one : forward_candidates(c.path, facts(c.address), kFilter))
            shown += (shown.empty() ? "" : " ") + one;
        EXPECT_EQ(shown, c.expected) << c.path << " " << c.address;
    }
}

TEST(UserFacts, MakeACommandsEnvironment) {
    ipc::DeliverRequest request;
    request.sender = "s;rm@far.test";
    request.client_address = "192.0.2.1";
    ipc::DeliverRecipient recipient;
    recipient.address = "u1+x@here.test";
    recipient.original = "alias@here.test";
    const auto user = command_environment(facts("u1+x@here.test"), request, recipient, kFilter);
    EXPECT_EQ(user, (std::vector<std::string>{"HOME=/home/u1", "LOGNAME=u1", "USER=u1",
                                              "SHELL=/bin/sh", "LOCAL=u1+x", "DOMAIN=here.test",
                                              "EXTENSION=x", "RECIPIENT=u1+x@here.test",
                                              "ORIGINAL_RECIPIENT=alias@here.test",
                                              "SENDER=s_rm@far.test", "CLIENT_ADDRESS=192.0.2.1"}));
    request.sender.clear();
    Target alias;
    alias.address = "list@here.test";
    const auto nobody = command_environment(facts_of(alias, "+"), request, recipient, kFilter);
    EXPECT_EQ(nobody.front(), "LOCAL=list");
    EXPECT_NE(std::find(nobody.begin(), nobody.end(), "SENDER="), nobody.end());
}

}  // namespace
}  // namespace postern::local
