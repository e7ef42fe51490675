// Manager: orders that come from outside: postkick's letters, ETRN and postqueue -s.
#include "qmgr/manager_fixture.h"

namespace postern::qmgr {
namespace {

ipc::QueueControl order_of(ipc::QueueOperation operation) {
    ipc::QueueControl order;
    order.operation = operation;
    return order;
}

TEST_F(ManagerTest, ObeysPostfixsLetters) {
    auto manager = make_manager();
    const auto kick = [&](const std::string& letters) {
        auto order = order_of(ipc::QueueOperation::trigger);
        order.requests = letters;
        const auto answer = manager->control(order);
        EXPECT_TRUE(answer.ok);
        return answer.text;
    };
    const auto future = write_file({envelope(1, {"yes@a.test"})}, Directory::deferred);
    ASSERT_TRUE(fs_.set_times(queue::path_of(Directory::deferred, future),
                              std::chrono::duration_cast<Seconds>(
                                  (clock_.now() + std::chrono::hours{1}).time_since_epoch())
                                  .count()));
    write_file({envelope(2, {"yes@b.test"})}, Directory::deferred);
    write_file({envelope(3, {"yes@c.test"})});
    const auto scanned_for = [&](const std::string& letters, std::size_t delivered) {
        EXPECT_EQ(kick(letters), "");
        return run_until([&] { return delivered_.size() == delivered; });
    };
    EXPECT_TRUE(scanned_for("FA", 0));
    EXPECT_TRUE(scanned_for("I", 1));
    EXPECT_EQ(delivered_.back(), "yes@c.test");
    EXPECT_TRUE(scanned_for("D", 2));
    EXPECT_EQ(delivered_.back(), "yes@b.test");
    EXPECT_TRUE(scanned_for("AD", 3));
    EXPECT_EQ(delivered_.back(), "yes@a.test");
    write_file({envelope(4, {"yes@d.test"})});
    EXPECT_TRUE(scanned_for("W", 4));
    EXPECT_EQ(kick("IxD\n"), "requests ignored: \"x?\"");
    EXPECT_EQ(kick(""), "");
}

}  // namespace
}  // namespace postern::qmgr
