#include "pipe/expansion.h"

namespace postern::pipe {
namespace {

ipc::DeliverRequest request() {
    ipc::DeliverRequest r;
    r.queue_id = *QueueId::parse("3f4GhJkLmN");
    r.sender = "Send Er@Far.Test";
    r.next_hop = "Next.Test";
    r.body_size = 123;
    r.client_address = "192.0.2.1";
    r.client_name = "client.test";
    r.recipients = {{1, "User+List@Here.Test", "", 0, ""},
                    {2, "b@here.test", "Orig@Here.Test", 0, ""}};
    return r;
}

std::string expand(std::vector<std::string> argv, Flags flags = {},
                   ipc::DeliverRequest r = request()) {
    Attributes attributes;
    attributes.flags = flags;
    attributes.argv = std::move(argv);
    const auto out = expand_argv(attributes, r, "+");
    if (!out) return "error: " + out.error().what;
    std::string shown;
    for (const auto& word : *out) shown += "[" + word + "]";
    return shown;
}

TEST(Expansion, StandsOnceForEachRecipient) {
    const struct {
        std::vector<std::string> argv;
        std::string expected;
    } cases[] = {
        {{"x", "-d", "${recipient}"}, "[x][-d][User+List@Here.Test][b@here.test]"},
        {{"x", "($recipient)"}, "[x][(User+List@Here.Test)][(b@here.test)]"},
        {{"$user/$extension"}, "[User/List][b/]"},
        {{"${mailbox}@$(domain)"}, "[User+List@Here.Test][b@here.test]"},
        {{"$original_recipient"}, "[User+List@Here.Test][Orig@Here.Test]"},
        {{"-f", "$sender", "${nexthop}!rmail", "$size", "$queue_id"},
         "[-f][Send Er@Far.Test][Next.Test!rmail][123][3f4GhJkLmN]"},
        {{"${client_address}/${client_hostname}/${client_helo}/${client_port}"},
         "[192.0.2.1/client.test//]"},
        {{"$$HOME", "a$$", ""}, "[$HOME][a$][]"},
        {{"$nosuch"}, "error: unknown macro name \"nosuch\" in \"$nosuch\""},
        {{"${open"}, "error: bad macro in \"${open\""},
        {{"100$"}, "error: bad macro in \"100$\""},
    };
    for (const auto& c : cases) EXPECT_EQ(expand(c.argv), c.expected);
}

TEST(Expansion, FoldsAndQuotes) {
    Flags flags;
    flags.fold_host = flags.fold_user = true;
    EXPECT_EQ(expand({"$recipient", "$nexthop", "$user", "$domain", "$sender"}, flags),
              "[user+list@here.test][b@here.test][next.test][user][b][here.test][here.test][Send "
              "Er@Far.Test]");
    Flags quote;
    quote.quote = true;
    EXPECT_EQ(expand({"$sender"}, quote), "[\"Send Er\"@Far.Test]");
    auto r = request();
    r.recipients = {{1, "a\"b@here.test", "", 0, ""}};
    EXPECT_EQ(expand({"$recipient", "$user"}, quote, r), "[\"a\\\"b\"@here.test][a\"b]");
    r.sender.clear();
    EXPECT_EQ(expand({"-f", "$sender"}, quote, r), "[-f][MAILER-DAEMON]");
    Attributes attributes;
    attributes.null_sender = "";
    attributes.argv = {"-f", "$sender"};
    EXPECT_EQ(expand_argv(attributes, r, "+")->back(), "");
}

}  // namespace
}  // namespace postern::pipe
