// A reload: a queue manager finishes what it has under way while its successor takes up the rest.
// What the first one knows and the second one does not must be on disk before the first one lets go.
#include "qmgr/manager_fixture.h"

#include <algorithm>

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
    for (int i = 1; i <= 4; ++i) submit(*first, {envelope(i, {"other@a.test"})});
    ASSERT_TRUE(run_until_under_way(4));
    submit(*first, {envelope(10, {"yes1@a.test"}), envelope(11, {"yes2@a.test"})});
    ASSERT_TRUE(run_until_under_way(5));
    ASSERT_TRUE(is_under_way(id(10)));
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
    bounce_.clear();
    (void)fs_.unlink("private/bounce");
    std::vector<ipc::LoopChannel*> asked;
    bounce_.push_back(std::make_unique<FakeService>(
        loop_, "private/bounce",
        [&](const ipc::Packet&, ipc::LoopChannel& channel) { asked.push_back(&channel); }));
    notify_ = ipc::kNotifySuccess;
    auto first = make_manager();
    submit(*first, {envelope(1, {"yes@a.test"})});
    ASSERT_TRUE(run_until_under_way(1));
    first->drain();
    report_all();
    ASSERT_TRUE(run_until([&] { return !asked.empty(); }));
    EXPECT_FALSE(first->drained());
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
