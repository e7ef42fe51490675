// The Manager at its daily work: delivery, deferral, moves, limits, orders.
#include "qmgr/manager_fixture.h"

#include "tests/support/rooted_fs.h"

namespace postern::qmgr {
namespace {

TEST_F(ManagerTest, DeliversAnAnnouncedMessage) {
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"yes@a.test", "yes2@a.test", "yes@b.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(requests_.size(), 2U) << "two destinations";
    EXPECT_EQ(files(Directory::incoming), 0U);
    EXPECT_EQ(log::take_captured(),
              "info " + name.str() + ": from=<s@client.test>, size=20, nrcpt=3 (queue active)\n" +
                  "info " + name.str() + ": removed\n");
}

// Who waits for the line finds the queue without the message.
TEST_F(ManagerTest, LogsThatAMessageIsRemovedWhenItIs) {
    class Watched final : public support::RootedFs {
      public:
        using RootedFs::RootedFs;
        Result<void> unlink(const std::string& path) override {
            if (path.starts_with("incoming")) log_before = log::take_captured();
            return RootedFs::unlink(path);
        }
        std::string log_before;
    } fs(directory_);
    Manager manager(loop_, fs, options_);
    manager.on_nudge(write_file({envelope(1, {"yes@a.test"})}));
    ASSERT_TRUE(run_until_idle(manager));
    EXPECT_NE(fs.log_before.find("queue active"), std::string::npos);
    EXPECT_EQ(fs.log_before.find("removed"), std::string::npos);
    EXPECT_EQ(log::take_captured(), "info " + id(1).str() + ": removed\n");
}

TEST_F(ManagerTest, FindsMailAtStart) {
    for (int i = 1; i <= 50; ++i) write_file({envelope(i, {"yes@a.test"})});
    write_file({envelope(100, {"yes@b.test"})}, Directory::deferred);
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 51; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::incoming) + files(Directory::deferred), 0U);
    EXPECT_LE(resolved_, 2) << "equal questions are asked once";
}

TEST_F(ManagerTest, LeavesTheFutureAlone) {
    QueueId name = write_file({envelope(1, {"yes@a.test"})}, Directory::deferred);
    auto later = loop_.clock().now() + Seconds{1000};
    ASSERT_TRUE(
        fs_.set_times(queue::path_of(Directory::deferred, name),
                      std::chrono::duration_cast<Seconds>(later.time_since_epoch()).count()));
    auto manager = make_manager();
    manager->start();
    write_file({envelope(2, {"yes@b.test"})});
    manager->on_nudge(id(2));
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@b.test"});
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    EXPECT_TRUE(manager->control(order).ok);
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 2; }));
    ASSERT_TRUE(run_until_idle(*manager));
}

TEST_F(ManagerTest, DefersASingleMessage) {
    auto manager = make_manager();
    age_ = Seconds{1000};
    QueueId name = write_file({envelope(1, {"yes@a.test", "later@a.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::incoming), 0U);
    auto wait = due(name) - loop_.clock().now();
    EXPECT_GT(wait, Seconds{990});
    EXPECT_LT(wait, Seconds{1001});
    ASSERT_TRUE(run_until([&] { return !records_.empty(); }));
    EXPECT_EQ(records_, std::vector<std::string>{"later@a.test 1"});
    // The next attempt is for the one that is left.
    delivered_.clear();
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_message;
    order.queue_id = name;
    EXPECT_TRUE(manager->control(order).ok);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(delivered_, std::vector<std::string>{"later@a.test"});
}

TEST_F(ManagerTest, MovesDeferredMessagesOutOfBatches) {
    auto manager = make_manager();
    std::vector<queue::Envelope> batch;
    for (int i = 1; i <= 100; ++i)
        batch.push_back(
            envelope(i, {i % 10 == 0 ? "later@a.test" : "yes@a.test", "yes@here.test"}));
    manager->on_nudge(write_file(batch));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::incoming), 0U);
    EXPECT_EQ(files(Directory::deferred), 10U);
    EXPECT_GT(due(id(10)), loop_.clock().now());
    auto fd = fs_.open(queue::path_of(Directory::deferred, id(10)), O_RDONLY, 0);
    ASSERT_TRUE(fd);
    auto reader = queue::Reader::open(fs_, fd->get());
    ASSERT_TRUE(reader);
    auto message = reader->message(0);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->envelope.remaining(), 1U);
    EXPECT_TRUE(queue::verify_body(fs_, fd->get(), *message));
}

TEST_F(ManagerTest, SiteDownDefersTheRestAtOnce) {
    auto manager = make_manager();
    std::vector<queue::Envelope> batch;
    for (int i = 1; i <= 60; ++i) batch.push_back(envelope(i, {"down@a.test"}));
    manager->on_nudge(write_file(batch));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_LT(requests_.size(), 10U);
    EXPECT_EQ(files(Directory::deferred), 60U);
    std::string log = log::take_captured();
    EXPECT_NE(log.find("dsn=4.4.1, status=deferred (delivery temporarily suspended: text)"),
              std::string::npos)
        << log;
}

TEST_F(ManagerTest, ActiveLimitIsKeptAndRefilled) {
    options_.message_active_limit = 10;
    auto manager = make_manager();
    hold_answers_ = false;
    std::size_t most = 0;
    for (int i = 1; i <= 300; ++i) {
        write_file({envelope(i, {"yes@a" + std::to_string(i) + ".test"})});
        manager->on_nudge(id(i));
        most = std::max(most, manager->active());
    }
    ASSERT_TRUE(run_until([&] {
        most = std::max(most, manager->active());
        return delivered_.size() == 300;
    }));
    ASSERT_TRUE(run_until([&] { return files(Directory::incoming) == 0; }));
    EXPECT_LE(most, 10U);
}

TEST_F(ManagerTest, HoldFlagGoesToHold) {
    auto manager = make_manager();
    queue::Envelope held = envelope(2, {"yes@a.test"});
    held.flags = queue::kHold;
    manager->on_nudge(write_file({envelope(1, {"yes@a.test"}), held}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::hold), 1U);
    EXPECT_EQ(files(Directory::incoming), 0U);
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::release;
    order.queue_id = id(2);
    EXPECT_EQ(manager->control(order).count, 1U);
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 2; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::hold) + files(Directory::deferred), 0U);
}

TEST_F(ManagerTest, OrdersAboutMessagesInBatches) {
    hold_answers_ = true;
    auto manager = make_manager();
    // The first fills the site's window; the others wait.
    std::vector<queue::Envelope> batch;
    for (int i = 1; i <= 20; ++i) batch.push_back(envelope(i, {"yes@a.test"}));
    manager->on_nudge(write_file(batch));
    ASSERT_TRUE(run_until([&] { return requests_.size() == 5; }));
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::remove;
    order.queue_id = id(20);
    EXPECT_EQ(manager->control(order).count, 1U);
    order.operation = ipc::QueueOperation::hold;
    order.queue_id = id(19);
    EXPECT_EQ(manager->control(order).count, 1U);
    ASSERT_TRUE(run_until([&] { return manager->active() == 18; }));
    EXPECT_EQ(files(Directory::hold), 1U);
    order.queue_id = id(777);
    EXPECT_EQ(manager->control(order).count, 0U);
    auto left = queue::list_messages(fs_, Directory::incoming);
    EXPECT_EQ(left->size(), 18U) << "marked done in the batch";
}

TEST_F(ManagerTest, DrainLeavesTheRestToTheNext) {
    hold_answers_ = true;
    auto manager = make_manager();
    for (int i = 1; i <= 8; ++i) {
        write_file({envelope(i, {"yes@a.test"})});
        manager->on_nudge(id(i));
    }
    ASSERT_TRUE(run_until([&] { return requests_.size() == 5; }));
    manager->drain();
    EXPECT_FALSE(manager->drained());
    EXPECT_EQ(manager->active(), 5U);
    // The next qmgr takes up the three that nobody has, not the five under way.
    hold_answers_ = false;
    auto next = make_manager();
    next->start();
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 3; }));
    ASSERT_TRUE(run_until_idle(*next));
    EXPECT_EQ(files(Directory::incoming), 5U);
}

// A restart with a full queue: what arrives now does not wait for what was there.
TEST_F(ManagerTest, NewMailOvertakesTheScanOfAFullQueue) {
    constexpr int kOld = 1000;
    for (int i = 1; i <= kOld; ++i)
        write_file({envelope(i, {"yes@old.test"})}, Directory::deferred);
    auto manager = make_manager();
    manager->start();
    loop_.run_for(Millis{1});
    write_file({envelope(kOld + 1, {"yes@new.test"})});
    manager->on_nudge(id(kOld + 1));
    auto delivered_new = [&] {
        return std::count(delivered_.begin(), delivered_.end(), "yes@new.test") == 1;
    };
    ASSERT_TRUE(run_until(delivered_new));
    EXPECT_LT(delivered_.size(), static_cast<std::size_t>(kOld) / 2);
    ASSERT_TRUE(run_until([&] { return delivered_.size() == kOld + 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
}

TEST_F(ManagerTest, DeferTransportsWaitForAFlush) {
    options_.defer_transports = {"smtp"};
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"yes@a.test", "yes@here.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@here.test"});
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    manager->control(order);
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 2; }));
}

TEST_F(ManagerTest, AContentFilterWithoutADestination) {
    const struct {
        const char *filter, *usual, *next_hop;
    } cases[] = {{"smtp:[127.0.0.1]:1", "h.test", "[127.0.0.1]:1"},
                 {"smtp:", "h.test", "h.test"},
                 {"smtp", "", "a.test"}};
    for (const auto& c : cases) {
        options_.filter_next_hop = c.usual;
        requests_.clear();
        auto one = envelope(1, {"yes@a.test"});
        one.set_attribute(queue::attribute::kContentFilter, c.filter);
        auto manager = make_manager();
        manager->on_nudge(write_file({one}));
        ASSERT_TRUE(run_until_idle(*manager));
        ASSERT_EQ(requests_.size(), 1U);
        EXPECT_EQ(requests_[0].next_hop, c.next_hop);
    }
}

// dont_remove; without the folder mail goes on as usual.
TEST_F(ManagerTest, FinishedFilesMayBeSaved) {
    options_.save_finished = true;
    for (const bool folder : {true, false}) {
        if (!folder) {
            const auto saved = fs_.list("saved");
            for (const auto& file : *saved)
                ASSERT_TRUE(fs_.unlink(cat({queue::kSaved, "/", file.name})));
            ASSERT_EQ(::rmdir("saved"), 0);
        }
        auto manager = make_manager();
        const QueueId name = write_file({envelope(1, {"yes@a.test"}), envelope(2, {"yes@a.test"})});
        manager->on_nudge(name);
        ASSERT_TRUE(run_until_idle(*manager));
        EXPECT_EQ(files(Directory::incoming), 0U);
        EXPECT_EQ(fs_.info(cat({queue::kSaved, "/", name.str()})).has_value(), folder);
    }
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("not saved: "));
}

// best_mx_transport: "transport DESTINATION recipients..." of each request.
class BestMxTest : public ManagerTest {
  protected:
    std::vector<std::string> requests_for(const std::vector<std::string>& recipients) {
        auto manager = make_manager();
        manager->on_nudge(write_file({envelope(1, recipients)}));
        EXPECT_TRUE(run_until_idle(*manager));
        std::vector<std::string> made;
        for (const auto& request : requests_) {
            made.push_back(request.service + " " + request.next_hop);
            for (const auto& to : request.recipients) made.back() += " " + to.address;
        }
        return made;
    }
};

TEST_F(BestMxTest, WhatLoopsBackGoesToAnotherTransport) {
    options_.best_mx_transport = "local";
    EXPECT_THAT(
        requests_for({"loop1@a.test", "yes@a.test", "loop2@a.test"}),
        testing::UnorderedElementsAre("smtp a.test loop1@a.test yes@a.test loop2@a.test",
                                      "local a.test loop1@a.test", "local a.test loop2@a.test"))
        << "local takes one recipient at a time";
    EXPECT_TRUE(requests_[0].passes_loops);
    EXPECT_TRUE(records_.empty()) << "nobody was returned";
    EXPECT_EQ(files(Directory::incoming) + files(Directory::deferred), 0U);
}

// -o best_mx_transport of one master.cf entry.
TEST_F(BestMxTest, EachTransportMayHaveItsOwn) {
    options_.best_mx_overrides = {{"smtp", "smtp:b.test"}};
    EXPECT_THAT(requests_for({"loop@a.test"}),
                testing::ElementsAre("smtp a.test loop@a.test", "smtp b.test loop@a.test"));
    requests_.clear();
    options_.best_mx_transport = "local";
    options_.best_mx_overrides = {{"smtp", ""}};
    EXPECT_THAT(requests_for({"loop@a.test"}), testing::ElementsAre("smtp a.test loop@a.test"));
}

TEST_F(BestMxTest, NobodyGoesTwice) {
    for (const bool stubborn : {false, true}) {
        stubborn_ = stubborn;
        requests_.clear();
        records_.clear();
        options_.best_mx_transport = "smtp:b.test";
        EXPECT_THAT(requests_for({"loop@a.test"}),
                    testing::ElementsAre("smtp a.test loop@a.test", "smtp b.test loop@a.test"));
        EXPECT_FALSE(requests_[1].passes_loops);
        EXPECT_EQ(records_, std::vector<std::string>{"loop@a.test 0"}) << "it is a loop";
    }
}

TEST_F(BestMxTest, WithoutItTheMailIsReturned) {
    stubborn_ = true;
    EXPECT_THAT(requests_for({"loop@a.test"}), testing::ElementsAre("smtp a.test loop@a.test"));
    EXPECT_FALSE(requests_[0].passes_loops);
    EXPECT_EQ(records_.size(), 1U);
}

TEST_F(BestMxTest, NonsenseMakesTheMailWait) {
    options_.best_mx_transport = "no/service";
    requests_for({"loop@a.test"});
    EXPECT_EQ(files(Directory::deferred), 1U);
    EXPECT_THAT(log::take_captured(),
                testing::HasSubstr("best_mx_transport: no name of a service"));
}

// VERP: the sender names the recipient, so each travels alone, and so does its bounce.
TEST_F(ManagerTest, SendersThatNameTheRecipient) {
    sender_ = "list@client.test";
    auto message = envelope(1, {"yes@a.test", "yes2@a.test", "no@a.test"});
    message.recipients[1].original = "alias@b.test";
    message.set_attribute(queue::attribute::kVerp, "+=");
    auto manager = make_manager();
    manager->on_nudge(write_file({message}));
    ASSERT_TRUE(run_until_idle(*manager));
    std::vector<std::string> senders;
    for (const auto& request : requests_) {
        EXPECT_EQ(request.recipients.size(), 1U);
        senders.push_back(request.sender);
    }
    EXPECT_THAT(senders, testing::UnorderedElementsAre("list+yes=a.test@client.test",
                                                       "list+alias=b.test@client.test",
                                                       "list+no=a.test@client.test"));
    EXPECT_EQ(verp_notices_, std::vector<std::string>{"+="});
    options_.verp_bounces = false;
    auto plain = make_manager();
    message.id = id(2);
    plain->on_nudge(write_file({message}));
    ASSERT_TRUE(run_until_idle(*plain));
    EXPECT_EQ(verp_notices_.back(), "") << "one bounce, as ever";
}

}  // namespace
}  // namespace postern::qmgr
