// Probes: agents are asked, verify hears, nothing is tried again.
#include "lib/ipc/messages/verify.h"

#include "qmgr/manager_fixture.h"

namespace postern::qmgr {
namespace {

class ProbeTest : public ManagerTest {
  protected:
    ProbeTest()
        : verify_(loop_, "private/verify", [this](const ipc::Packet& packet, auto& channel) {
              const auto news = packet.as<ipc::VerifyUpdate>();
              ASSERT_TRUE(news);
              news_.push_back(news->address + " " + std::to_string(static_cast<int>(news->status)));
              (void)channel.send(ipc::VerifyUpdated{verify_works_});
          }) {}

    QueueId probe(int number, const std::vector<std::string>& recipients,
                  queue::Flag kind = queue::kProbe) {
        auto one = envelope(number, recipients);
        one.flags = kind;
        return write_file({one});
    }

    std::vector<std::string> news_;
    bool verify_works_ = true;
    FakeService verify_;
};

TEST_F(ProbeTest, VerifyHearsOfEachOutcome) {
    auto manager = make_manager();
    manager->on_nudge(
        probe(1, {"yes@a.test", "no@a.test", "later@a.test", "x@bad.test", "die@b.test"}));
    ASSERT_TRUE(run_until_idle(*manager));
    std::sort(news_.begin(), news_.end());
    EXPECT_EQ(news_, (std::vector<std::string>{"die@b.test 1", "later@a.test 1", "no@a.test 2",
                                               "x@bad.test 2", "yes@a.test 0"}));
    EXPECT_EQ(files(Directory::incoming) + files(Directory::deferred), 0U) << "nothing waits";
    EXPECT_TRUE(records_.empty() && notices_.empty());
    for (const auto& request : requests_) EXPECT_TRUE(request.probe);
    const std::string log = log::take_captured();
    EXPECT_NE(log.find("to=<x@bad.test>, relay=none, "), std::string::npos) << log;
    EXPECT_NE(log.find("status=undeliverable (bad domain)"), std::string::npos) << log;
    EXPECT_EQ(log.find("status=bounced"), std::string::npos) << log;
}

TEST_F(ProbeTest, AnAliasIsKnownByBothNames) {
    auto one = envelope(1, {"yes@a.test"});
    one.flags = queue::kProbe;
    one.recipients[0].original = "alias@here.test";
    auto manager = make_manager();
    manager->on_nudge(write_file({one}));
    ASSERT_TRUE(run_until_idle(*manager));
    std::sort(news_.begin(), news_.end());
    EXPECT_EQ(news_, (std::vector<std::string>{"alias@here.test 0", "yes@a.test 0"}));
}

TEST_F(ProbeTest, EndsAlsoWhereVerifyDoesNotKeepIt) {
    verify_works_ = false;
    auto manager = make_manager();
    manager->on_nudge(probe(1, {"no@a.test"}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 0U);
    EXPECT_NE(log::take_captured().find("verify service: the answer was not kept"),
              std::string::npos);
}

TEST_F(ProbeTest, TooManyAtOnceAreAnsweredForNow) {
    options_.probe_limit = 1;
    hold_answers_ = true;
    auto manager = make_manager();
    manager->on_nudge(probe(1, {"yes@a.test"}));
    ASSERT_TRUE(run_until([&] { return requests_.size() == 1; }));
    manager->on_nudge(probe(2, {"other@a.test", "third@a.test"}));
    ASSERT_TRUE(run_until([&] { return news_.size() == 2; }));
    EXPECT_EQ(news_, (std::vector<std::string>{"other@a.test 1", "third@a.test 1"}));
    ASSERT_TRUE(run_until([&] { return manager->active() == 1; }));
    EXPECT_EQ(requests_.size(), 1U);
}

TEST_F(ProbeTest, AContentFilterIsNotAsked) {
    auto one = envelope(1, {"yes@a.test"});
    one.flags = queue::kProbe;
    one.set_attribute(queue::attribute::kContentFilter, "absent:[127.0.0.1]:1");
    auto manager = make_manager();
    manager->on_nudge(write_file({one}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(news_, std::vector<std::string>{"yes@a.test 0"});
}

// sendmail -bv: the sender hears of every recipient in one report.
TEST_F(ProbeTest, AReportGoesToTheSender) {
    auto manager = make_manager();
    const QueueId name = probe(1, {"yes@a.test", "no@a.test", "later@a.test"}, queue::kProbeReport);
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    std::sort(records_.begin(), records_.end());
    EXPECT_EQ(records_,
              (std::vector<std::string>{"later@a.test 2", "no@a.test 2", "yes@a.test 2"}));
    EXPECT_EQ(notices_, std::vector<std::string>{name.str() + " 3"});
    EXPECT_TRUE(news_.empty());
    EXPECT_EQ(files(Directory::incoming) + files(Directory::deferred), 0U);
}

}  // namespace
}  // namespace postern::qmgr
