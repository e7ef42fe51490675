// Conversations on the loop with neighbours that break off, flood, are silent or say nonsense.

#include <functional>

#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/ipc/messages/control.h"
#include "lib/ipc/messages/queue.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/processes.h"

namespace postern::ipc {
namespace {

using support::open_descriptors;

const QueueId kSomeId = *QueueId::parse("4cQ1bbbBBB");
struct Pair {
    Pair() {
        auto ends = *sys::packet_pair();
        raw = std::move(ends.first);
        channel = std::make_unique<LoopChannel>(
            loop, std::move(ends.second),
            LoopChannel::Handler{[this](Packet packet) {
                                     packets.push_back(packet.trace());
                                     if (on_packet) on_packet();
                                 },
                                 [this](Error error) {
                                     closed.push_back(error.code);
                                     if (on_closed) on_closed();
                                 }});
    }
    void turn() { loop.run_for(Millis{5}); }

    loop::Loop loop;
    Fd raw;
    std::unique_ptr<LoopChannel> channel;
    std::vector<std::string> packets;
    std::vector<Errc> closed;
    std::function<void()> on_packet, on_closed;
};

TEST(LoopChannel, EndsOnceWithTheReason) {
    const struct {
        const char* name;
        std::string bytes;
        Errc code;
    } cases[] = {
        {"garbage", "nonsense", Errc::invalid},
        {"too long", std::string(kMaxPacket + 1, 'x'), Errc::invalid},
        {"missing descriptor", *encode(Wakeup{}, {.descriptors = 1}), Errc::invalid},
        {"end", "", Errc::closed},
    };
    for (const auto& c : cases) {
        Pair pair;
        if (c.bytes.empty()) pair.raw.reset();
        if (!c.bytes.empty()) {
            ASSERT_TRUE(sys::send_packet(pair.raw.get(), c.bytes));
        }
        if (!c.bytes.empty()) {
            ASSERT_TRUE(sys::send_packet(pair.raw.get(), *encode(Wakeup{})));
        }
        pair.turn();
        pair.turn();
        EXPECT_THAT(pair.closed, testing::ElementsAre(c.code)) << c.name;
        EXPECT_TRUE(pair.packets.empty()) << c.name << ": nothing behind it is believed";
        // Whoever keeps the channel may ask more of it, and learns that it is over.
        EXPECT_EQ(pair.channel->send(Wakeup{}).error().code, Errc::closed);
        pair.channel->resume();
        pair.turn();
        EXPECT_EQ(pair.closed.size(), 1U) << c.name;
    }
}

TEST(LoopChannel, DeliversWhatCameBeforeTheEnd) {
    Pair pair;
    for (int i = 0; i < 40; ++i)  // more than one turn takes
        ASSERT_TRUE(
            sys::send_packet(pair.raw.get(), *encode(Wakeup{}, {.trace = std::to_string(i)})));
    pair.raw.reset();
    for (int i = 0; i < 10; ++i) pair.turn();
    EXPECT_EQ(pair.packets.size(), 40U);
    EXPECT_EQ(pair.packets.back(), "39");
    EXPECT_THAT(pair.closed, testing::ElementsAre(Errc::closed));
}

TEST(LoopChannel, MayBeDestroyedByEachCallback) {
    Pair by_packet;
    by_packet.on_packet = [&] { by_packet.channel.reset(); };
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(sys::send_packet(by_packet.raw.get(), *encode(Wakeup{})));
    by_packet.turn();
    EXPECT_EQ(by_packet.packets.size(), 1U) << "nothing comes to what is gone";
    Pair by_end;
    by_end.on_closed = [&] { by_end.channel.reset(); };
    by_end.raw.reset();
    by_end.turn();
    EXPECT_EQ(by_end.closed.size(), 1U);
}

TEST(LoopChannel, PausesInTheMiddle) {
    Pair pair;
    pair.on_packet = [&] { pair.channel->pause(); };
    for (const char* trace : {"1", "2"})
        ASSERT_TRUE(sys::send_packet(pair.raw.get(), *encode(Wakeup{}, {.trace = trace})));
    pair.turn();
    pair.turn();
    EXPECT_THAT(pair.packets, testing::ElementsAre("1"));
    pair.channel->resume();
    pair.turn();
    EXPECT_THAT(pair.packets, testing::ElementsAre("1", "2"));
}

// A peer that does not read: packets and their descriptors wait, up to a limit, and then come in
// order.
TEST(LoopChannel, QueuesInOrderUpToItsLimit) {
    Pair pair;
    std::size_t accepted = 0;
    Result<void> sent;
    for (;; ++accepted) {
        auto pipe = *sys::packet_pair();
        const int fds[] = {pipe.first.get()};  // ours is closed at once: the channel has its own
        const std::string padding(40'000, 'x');
        QueueListEntry entry;
        entry.queue_id = kSomeId;
        entry.recipients = {{std::string(300, 'a'), std::string(300, 'b')}};
        sent = pair.channel->send(entry, std::to_string(accepted), fds);
        if (!sent) break;
        ASSERT_LT(accepted, 2000U);
    }
    EXPECT_EQ(sent.error().code, Errc::no_space);
    EXPECT_TRUE(pair.channel->sending());
    std::size_t got = 0;
    for (int idle = 0; idle < 5;) {
        auto received = sys::receive_packet(pair.raw.get(), kMaxPacket, kMaxDescriptors);
        if (!received) {
            pair.turn();
            ++idle;
            continue;
        }
        idle = 0;
        auto packet = Packet::parse(std::move(received->bytes), std::move(received->descriptors));
        ASSERT_TRUE(packet);
        ASSERT_EQ(packet->trace(), std::to_string(got));
        ASSERT_EQ(packet->descriptor_count(), 1U);
        ++got;
    }
    EXPECT_EQ(got, accepted);
    EXPECT_FALSE(pair.channel->sending());
    EXPECT_TRUE(pair.channel->send(Wakeup{}));
}

TEST(LoopChannel, LearnsWhileQueueingThatThePeerIsGone) {
    Pair pair;
    SubmitRecipients big;
    big.recipients.resize(40);
    for (auto& one : big.recipients) one.address = std::string(300, 'x');
    while (!pair.channel->sending()) ASSERT_TRUE(pair.channel->send(big));
    pair.raw.reset();
    for (int i = 0; i < 5; ++i) pair.turn();
    EXPECT_EQ(pair.closed.size(), 1U);
    EXPECT_FALSE(pair.channel->sending());
    EXPECT_FALSE(pair.channel->send(big));
}

}  // namespace
}  // namespace postern::ipc
