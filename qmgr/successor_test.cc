// A reload: a queue manager finishes what it has under way while its successor takes up the rest.
// What the first one knows and the second one does not must be on disk before the first one lets go.
#include "qmgr/manager_fixture.h"

#include <algorithm>
#include <future>

#include "tests/support/rooted_fs.h"

namespace postern::qmgr {
namespace {

class SuccessorTest : public ManagerTest {
  protected:
    SuccessorTest() {
        agents_.clear();
        (void)fs_.unlink("private/smtp");
        agents_.push_back(std::make_unique<FakeService>(
            loop_, "private/smtp", [this](ipc::Packet packet, ipc::LoopChannel& channel) {
                under_way_.push_back({*packet.as<ipc::DeliverRequest>(), &channel});
            }));
    }

    bool run_until_under_way(std::size_t deliveries) {
        return run_until([&] { return under_way_.size() == deliveries; });
    }
    bool is_under_way(const QueueId& id) const {
        return std::ranges::any_of(under_way_,
                                   [&](const auto& one) { return one.request.queue_id == id; });
    }

    void submit(Manager& manager, const std::vector<queue::Envelope>& messages) {
        manager.on_nudge(write_file(messages));
    }

    // The agents report all that is under way, or what is of one message.
    void report_all() { report_if([](const QueueId&) { return true; }); }
    void report(const QueueId& id) {
        report_if([&](const QueueId& one) { return one == id; });
    }

    // From now on nobody answers what `service` is asked; who asks is noted.
    void silence(std::unique_ptr<FakeService>& service, const std::string& name) {
        service.reset();
        (void)fs_.unlink("private/" + name);
        service = std::make_unique<FakeService>(
            loop_, "private/" + name, [this](const ipc::Packet&, ipc::LoopChannel& channel) {
                unanswered_.push_back(&channel);
            });
    }
    bool run_until_asked(std::size_t times) {
        return run_until([&] { return unanswered_.size() >= times; });
    }
    void answer_all() {
        ipc::BounceDone done;
        done.ok = true;
        for (ipc::LoopChannel* channel : std::exchange(unanswered_, {})) (void)channel->send(done);
    }

    // Deliveries that keep another one to their site waiting; and two messages in a file, of which
    // only the first one is under way.
    void fill_site(Manager& manager) {
        for (int i = 1; i <= 4; ++i) submit(manager, {envelope(i, {"other@a.test"})});
        ASSERT_TRUE(run_until_under_way(4));
    }
    void submit_batch(Manager& manager, const std::string& first, const std::string& second) {
        fill_site(manager);
        submit(manager, {envelope(10, {first}), envelope(11, {second})});
        ASSERT_TRUE(run_until_under_way(5));
        ASSERT_TRUE(is_under_way(id(10)));
    }
    static bool order(Manager& manager, const QueueId& id, ipc::QueueOperation operation) {
        ipc::QueueControl order;
        order.operation = operation;
        order.queue_id = id;
        const auto answer = manager.control(order);
        return answer.ok && answer.count == 1;
    }
    bool run_until_drained(Manager& manager) {
        return run_until([&] { return manager.drained(); });
    }

    // All that is in the queue is delivered by this one, but for what is deferred.
    bool deliver_all(Manager& manager) {
        manager.start();
        return run_until([&] {
            report_all();
            return manager.active() == 0 && files(Directory::incoming) == 0 &&
                   files(Directory::active) == 0;
        });
    }
    auto times_delivered(std::string_view address) const {
        return std::ranges::count(delivered_, address);
    }

    std::vector<ipc::LoopChannel*> unanswered_;

  private:
    struct UnderWay {
        ipc::DeliverRequest request;
        ipc::LoopChannel* channel;
    };

    void report_if(const std::function<bool(const QueueId&)>& concerned) {
        std::vector<UnderWay> ready;
        std::erase_if(under_way_, [&](const UnderWay& one) {
            if (!concerned(one.request.queue_id)) return false;
            ready.push_back(one);
            return true;
        });
        for (const UnderWay& one : ready) {
            ipc::DeliverReport report;
            for (const auto& recipient : one.request.recipients) {
                delivered_.push_back(recipient.address);
                report.recipients.push_back(report_for(recipient));
            }
            (void)one.channel->send(report);
        }
    }

    std::vector<UnderWay> under_way_;
};

// Two messages of one file, of which the first one has been handed over: the file stays for the
// second one, and must say then that the first one is done.
TEST_F(SuccessorTest, DeliversNothingAgainOfAFileThatIsKept) {
    auto first = make_manager();
    submit_batch(*first, "yes1@a.test", "yes2@a.test");
    first->drain();
    report_all();
    ASSERT_TRUE(run_until([&] { return first->active() == 0 && first->drained(); }));
    first.reset();
    auto second = make_manager();
    ASSERT_TRUE(deliver_all(*second));
    EXPECT_EQ(times_delivered("yes1@a.test"), 1);
    EXPECT_EQ(times_delivered("yes2@a.test"), 1);
}

// The recipient is marked when its record is written: whoever ends before delivers it again.
TEST_F(SuccessorTest, WaitsUntilTheRecordOfADeliveryIsWritten) {
    notify_ = ipc::kNotifySuccess | ipc::kNotifyFailure;
    for (const bool reported_before : {false, true})
        for (const char* recipient : {"yes@a.test", "no@a.test"}) {
            delivered_.clear();
            silence(bounce_.front(), "bounce");
            auto first = make_manager();
            submit(*first, {envelope(1, {recipient, "later@a.test"})});
            ASSERT_TRUE(run_until_under_way(1));
            if (!reported_before) first->drain();
            report_all();
            ASSERT_TRUE(run_until_asked(1));
            if (reported_before) first->drain();
            EXPECT_FALSE(first->drained());
            EXPECT_TRUE(run_until([&] {
                answer_all();
                return first->drained();
            }));
            first.reset();
            auto second = make_manager();
            ASSERT_TRUE(order(*second, id(1), ipc::QueueOperation::requeue));
            ASSERT_TRUE(run_until_under_way(1));
            report_all();
            EXPECT_TRUE(run_until([&] {
                answer_all();
                return second->active() == 0;
            }));
            EXPECT_EQ(times_delivered(recipient), 1);
            EXPECT_EQ(times_delivered("later@a.test"), 2);
            EXPECT_TRUE(order(*second, id(1), ipc::QueueOperation::remove));
        }
}

// More files than may be open: those of messages of which something is under way stay locked.
TEST_F(SuccessorTest, WhatIsUnderWayStaysLockedInALargeQueue) {
    options_.max_open_files = 3;
    notify_ = ipc::kNotifySuccess;
    silence(bounce_.front(), "bounce");
    auto first = make_manager();
    submit(*first, {envelope(1, {"yes@a.test"})});
    ASSERT_TRUE(run_until_under_way(1));
    report_all();
    ASSERT_TRUE(run_until_asked(1));
    for (int i = 2; i <= 30; ++i) submit(*first, {envelope(i, {"yes@b.test"})});
    ASSERT_TRUE(run_until([&] { return first->active() == 30; }));
    const Fd file = fs_.open(queue::path_of(Directory::incoming, id(1)), O_RDONLY, 0).value();
    EXPECT_FALSE(sys::try_lock(file.get(), sys::LockKind::exclusive).value());
    ASSERT_TRUE(run_until_under_way(5));
    first->drain();
    EXPECT_FALSE(sys::try_lock(file.get(), sys::LockKind::exclusive).value());
    EXPECT_EQ(first->active(), 6U);
    report_all();
    EXPECT_TRUE(run_until([&] {
        answer_all();
        return first->drained();
    }));
}

// What postsuper was told is done: whoever has the message's file from then on.
TEST_F(SuccessorTest, AnOrderOutlivesTheOneWhoTookIt) {
    auto first = make_manager();
    submit_batch(*first, "later1@a.test", "yes2@a.test");
    EXPECT_TRUE(order(*first, id(10), ipc::QueueOperation::remove));
    first->drain();
    report_all();
    ASSERT_TRUE(run_until_drained(*first));
    first.reset();
    auto second = make_manager();
    ASSERT_TRUE(deliver_all(*second));
    EXPECT_EQ(times_delivered("later1@a.test"), 1);
    EXPECT_EQ(times_delivered("yes2@a.test"), 1);
}

TEST_F(SuccessorTest, AnOrderForWhatWaitsForItsRouteIsObeyed) {
    using Operation = ipc::QueueOperation;
    silence(rewrite_, "rewrite");
    for (const bool batch : {false, true}) {
        auto first = make_manager();
        for (int i = 1; i <= 4; ++i)
            if (!batch) submit(*first, {envelope(i, {"yes@a.test"})});
        if (batch)
            submit(*first, {envelope(1, {"yes@a.test"}), envelope(2, {"yes@a.test"}),
                            envelope(3, {"yes@a.test"}), envelope(4, {"yes@a.test"})});
        ASSERT_TRUE(run_until_asked(1));
        EXPECT_TRUE(order(*first, id(1), Operation::remove));
        EXPECT_TRUE(order(*first, id(2), Operation::hold));
        EXPECT_TRUE(order(*first, id(3), Operation::expire));
        first->drain();
        ASSERT_TRUE(run_until_drained(*first));
        EXPECT_EQ(*queue::list_messages(fs_, Directory::hold), std::vector{id(2)}) << batch;
        EXPECT_EQ(*queue::list_messages(fs_, Directory::deferred), std::vector{id(3)});
        EXPECT_NE(
            fs_.info(queue::path_of(Directory::deferred, id(3)))->mode & queue::kModeForceExpire,
            0U);
        EXPECT_LE(due(id(3)), loop_.clock().now());
        EXPECT_EQ(*queue::list_messages(fs_, Directory::incoming), std::vector{id(4)});
        for (int i = 2; i <= 4; ++i)
            EXPECT_TRUE(*queue::change_message(fs_, id(i), queue::Change::remove));
    }
}

// The successor need not wait for anybody else's deliveries.
TEST_F(SuccessorTest, TakesUpAMessageAsSoonAsNothingOfItIsUnderWay) {
    auto first = make_manager();
    fill_site(*first);
    submit(*first, {envelope(5, {"other@a.test"})});
    submit(*first, {envelope(6, {"yes@c.test", "yes@a.test"})});
    ASSERT_TRUE(run_until([&] { return is_under_way(id(5)) && is_under_way(id(6)); }));
    submit(*first, {envelope(7, {"later@d.test"}), envelope(8, {"yes@a.test"})});
    ASSERT_TRUE(run_until([&] { return is_under_way(id(7)); }));
    ASSERT_FALSE(is_under_way(id(8)));
    first->drain();
    report(id(6));
    report(id(7));
    ASSERT_TRUE(run_until([&] { return first->active() == 5; }));
    EXPECT_GT(due(id(7)), loop_.clock().now()) << "it has its time, as ever";
    auto second = make_manager();
    second->start();
    EXPECT_TRUE(run_until([&] { return is_under_way(id(6)) && is_under_way(id(8)); }));
    report_all();
    EXPECT_TRUE(run_until([&] { return second->active() == 0 && first->drained(); }));
    EXPECT_EQ(times_delivered("yes@c.test"), 1);
    EXPECT_EQ(times_delivered("yes@a.test"), 2) << "of two messages";
}

// The scheduler still has what was let go of: a site that turns out to be down defers that no more.
TEST_F(SuccessorTest, WhatWasLetGoOfIsNobodysWhenItsSiteIsDown) {
    auto first = make_manager();
    for (int i = 1; i <= 5; ++i) submit(*first, {envelope(i, {"down@a.test"})});
    ASSERT_TRUE(run_until_under_way(5));
    submit(*first, {envelope(6, {"yes@a.test"})});
    ASSERT_TRUE(run_until([&] { return resolved_ == 2; }));
    loop_.run_for(Millis{2});
    first->drain();
    EXPECT_EQ(first->active(), 5U);
    report_all();
    ASSERT_TRUE(run_until_drained(*first));
    first.reset();
    auto second = make_manager();
    ASSERT_TRUE(deliver_all(*second));
    EXPECT_EQ(times_delivered("yes@a.test"), 1);
    EXPECT_EQ(files(Directory::deferred), 5U);
}

// Why mail waits is for people to read; nobody waits for that, or not long.
TEST_F(SuccessorTest, NotesOfDeferralsHoldNobodyUp) {
    constexpr std::size_t kWritten = 8;  // at a time
    for (const std::size_t service : {0U, 1U})
        silence(bounce_[service], service == 0 ? "bounce" : "defer");
    auto first = make_manager();
    std::vector<std::string> recipients;
    for (int i = 0; i < 20; ++i) recipients.push_back("later" + std::to_string(i) + "@a.test");
    submit(*first, {envelope(1, recipients)});
    submit(*first, {envelope(2, {"later@b.test"})});
    ASSERT_TRUE(run_until_under_way(2));
    report(id(1));
    ASSERT_TRUE(run_until_asked(kWritten));
    first->drain();
    report(id(2));
    ASSERT_TRUE(run_until([&] { return first->active() == 0; }));
    EXPECT_FALSE(first->drained());
    EXPECT_EQ(unanswered_.size(), kWritten);
    answer_all();
    EXPECT_TRUE(run_until_drained(*first));
    EXPECT_TRUE(unanswered_.empty());
}

// A disk that takes its time.
class SlowFs final : public support::RootedFs {
  public:
    using RootedFs::RootedFs;
    Result<void> sync(int fd) override { return wait(), RootedFs::sync(fd); }
    Result<void> sync_data(int fd) override { return wait(), RootedFs::sync_data(fd); }
    Result<void> sync_filesystem(int fd) override { return wait(), RootedFs::sync_filesystem(fd); }
    std::promise<void> ready;

  private:
    void wait() { done_.wait(); }
    std::shared_future<void> done_ = ready.get_future().share();
};

// An order that came while the message went into its own file, which showq has in hand then.
TEST_F(SuccessorTest, AnOrderWaitsForWhoReadsTheQueue) {
    SlowFs disk(directory_);
    auto manager = std::make_unique<Manager>(loop_, disk, options_);
    submit_batch(*manager, "later1@a.test", "yes2@a.test");
    const std::string path = queue::path_of(Directory::deferred, id(10));
    report(id(10));
    ASSERT_TRUE(run_until([&] { return fs_.info(path).has_value(); }));
    Fd reader = fs_.open(path, O_RDONLY, 0).value();
    ASSERT_TRUE(sys::try_lock(reader.get(), sys::LockKind::shared).value());
    EXPECT_TRUE(order(*manager, id(10), ipc::QueueOperation::remove));
    manager->drain();
    disk.ready.set_value();
    EXPECT_TRUE(run_until([&] {
        report_all();
        return manager->active() == 0;
    }));
    loop_.run_for(Millis{2});
    EXPECT_TRUE(fs_.info(path));
    EXPECT_FALSE(manager->drained());
    reader.reset();
    EXPECT_TRUE(run_until_drained(*manager));
    EXPECT_FALSE(fs_.info(path));
}

TEST_F(SuccessorTest, TakesUpWhatIsRequeuedWhileTheOneBeforeDrains) {
    auto first = make_manager();
    submit(*first, {envelope(1, {"later@a.test"})});
    submit(*first, {envelope(2, {"yes@b.test"})});
    ASSERT_TRUE(run_until_under_way(2));
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::requeue;
    order.queue_id = id(1);
    EXPECT_TRUE(first->control(order).ok);
    first->drain();
    report(id(1));
    ASSERT_TRUE(run_until([&] { return first->active() == 1; }));
    auto second = make_manager();
    second->start();
    EXPECT_TRUE(run_until([&] { return is_under_way(id(1)); })) << "whose lock is held";
    report(id(1));
    EXPECT_TRUE(run_until([&] { return second->active() == 0; }));
}

}  // namespace
}  // namespace postern::qmgr
