#include "local/intention.h"

#include <gtest/gtest.h>

namespace postern::local {
namespace {

TEST(Intention, OfEachJob) {
    MailboxJob mailbox;
    mailbox.targets.resize(1);
    mailbox.targets[0].mailbox = "/home/ann/Maildir/";
    EXPECT_EQ(intention(mailbox), "delivers to maildir");
    mailbox.targets[0].mailbox = "/var/mail/ann";
    EXPECT_EQ(intention(mailbox), "delivers to mailbox");
    mailbox.targets[0].command = "/usr/bin/procmail -a x";
    EXPECT_EQ(intention(mailbox), "delivers to command: /usr/bin/procmail -a x");

    EXPECT_EQ(intention(ForwardJob{{}, {"a@x.test", "b@y.test"}}),
              "forwards to a@x.test, b@y.test");

    RunnerJob runner;
    runner.targets.resize(1);
    runner.targets[0].mailbox = "/home/ann/Maildir/";
    EXPECT_EQ(intention(runner), "delivers to maildir");
    runner.orders.resize(2);
    runner.orders[0].text = "|/usr/bin/vacation";
    runner.orders[1].text = "/tmp/copy";
    EXPECT_EQ(intention(runner), "delivers to |/usr/bin/vacation, /tmp/copy");
}

}  // namespace
}  // namespace postern::local
