#include "forwarder/attempts.h"

#include "lib/ipc/messages/limits.h"

namespace postern::forwarder {
namespace {

const smtp::PeerName kPeer{"mx.test", "192.0.2.1", 25};

smtp::RecipientOutcome ok() { return {Verdict::accept("2.0.0", "250 ok"), "250 ok"}; }
smtp::RecipientOutcome later() { return {Verdict::defer("4.2.0", "later"), "450 4.2.0 later"}; }
smtp::RecipientOutcome never() { return {Verdict::reject("5.1.1", "never"), "550 5.1.1 never"}; }

TEST(AttemptsTest, DeferredOnesGoToTheNextHost) {
    Attempts attempts(3);
    attempts.on_outcomes({0, 1, 2}, {ok(), later(), never()}, kPeer, false, true);
    EXPECT_THAT(attempts.open(), testing::ElementsAre(1));
    attempts.on_outcomes({1}, {ok()}, {"mx2.test", "192.0.2.2", 25}, true, true);
    EXPECT_TRUE(attempts.done());
    EXPECT_EQ(attempts[0].relay, "mx.test[192.0.2.1]:25");
    EXPECT_EQ(attempts[1].relay, "mx2.test[192.0.2.2]:25");
}

TEST(AttemptsTest, LastHostDecides) {
    Attempts attempts(1);
    attempts.on_outcomes({0}, {later()}, kPeer, false, false);
    EXPECT_TRUE(attempts.done());
    EXPECT_TRUE(attempts[0].outcome.verdict.deferred());
}

TEST(AttemptsTest, FailuresOfHosts) {
    Attempts attempts(2);
    attempts.on_failure(later(), nullptr, true);
    EXPECT_EQ(attempts.open().size(), 2u);
    attempts.on_failure(never(), &kPeer, true);
    EXPECT_TRUE(attempts.done());
    EXPECT_EQ(attempts[1].relay, "mx.test[192.0.2.1]:25");
    EXPECT_FALSE(attempts[1].site_down);
}

TEST(AttemptsTest, GivingUpKeepsAnswers) {
    Attempts attempts(2);
    attempts.on_outcomes({0}, {later()}, kPeer, false, true);
    attempts.give_up(Verdict::defer("4.4.1", "suspended"));
    EXPECT_EQ(attempts[0].outcome.verdict.text, "later");
    EXPECT_EQ(attempts[0].relay, "mx.test[192.0.2.1]:25");
    EXPECT_EQ(attempts[1].outcome.verdict.text, "suspended");
    EXPECT_TRUE(attempts[1].site_down);
    EXPECT_EQ(attempts[1].relay, "none");
}

// RFC 3461 5.2.2: who announced DSN reports himself, of what it took.
TEST(AttemptsTest, WhoAnnouncedDsnTakesOver) {
    for (const bool dsn : {false, true}) {
        Attempts attempts(2);
        attempts.on_outcomes({0, 1}, {ok(), never()}, kPeer, dsn, false);
        EXPECT_EQ(make_report(0, attempts[0], false).passed_on, dsn);
        EXPECT_FALSE(make_report(1, attempts[1], false).passed_on);
    }
    Attempts attempts(1);
    attempts.on_outcomes({0}, {later()}, kPeer, true, true);
    attempts.on_failure(later(), nullptr, false);
    EXPECT_FALSE(make_report(0, attempts[0], false).passed_on);
}

TEST(AttemptsTest, Reports) {
    Attempts attempts(3);
    attempts.on_outcomes({0, 1, 2}, {ok(), later(), never()}, kPeer, false, false);
    auto sent = make_report(7, attempts[0], false);
    EXPECT_EQ(sent.index, 7u);
    EXPECT_EQ(sent.outcome, ipc::Outcome::accept);
    EXPECT_EQ(sent.action, ipc::DsnAction::relayed);
    EXPECT_EQ(sent.remote_mta, "mx.test");
    auto bounced = make_report(0, attempts[2], false);
    EXPECT_EQ(bounced.outcome, ipc::Outcome::reject);
    EXPECT_EQ(bounced.diagnostic_type, "smtp");
    EXPECT_EQ(bounced.diagnostic, "550 5.1.1 never");
    EXPECT_EQ(make_report(0, attempts[1], false).action, ipc::DsnAction::delayed);

    auto mailbox = make_report(0, attempts[0], true);
    Decision told = attempts[0];
    told.passed_on = true;  // a server that knows DSN reports by itself
    EXPECT_EQ(make_report(0, told, true).action, ipc::DsnAction::relayed);
    EXPECT_EQ(mailbox.action, ipc::DsnAction::delivered) << "LMTP: it goes no further";

    Decision decision;
    decision.outcome = {Verdict::defer("4.0.0", std::string(5000, 'x')), std::string(5000, 'y')};
    auto bounded = make_report(0, decision, false);
    EXPECT_EQ(bounded.text.size(), ipc::kMaxReportText);
    EXPECT_EQ(bounded.diagnostic.size(), ipc::kMaxReportText);
}

}  // namespace
}  // namespace postern::forwarder
