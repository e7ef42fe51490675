// What neighbours do that they should not: broken packets, silence, floods, and ends at every
// moment.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "lib/ipc/channel.h"
#include "lib/ipc/test_messages.h"
#include "lib/sys/socket.h"
#include "tests/support/processes.h"
#include "tests/support/temp_folder.h"

namespace postern::ipc {
namespace {

using support::open_descriptors;

Deadline in_time() { return Deadline::in(Millis{30'000}); }

// --- The codec, for every message ---

template <class T>
class HostileBytes : public testing::Test {};
TYPED_TEST_SUITE(HostileBytes, AllMessages);

// Whatever a byte is changed to, the packet is refused, or it is a message that encodes to just
// these bytes: nothing is read that was not written.
TYPED_TEST(HostileBytes, AreRefusedOrCanonical) {
    const std::string good = *encode(TypeParam{}, {.takes_another = true, .trace = "S1"});
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const int flip : {0x01, 0x80, 0xff}) {
            std::string bytes = good;
            bytes[i] = static_cast<char>(bytes[i] ^ flip);
            const auto packet = Packet::parse(bytes, {});
            if (!packet) continue;
            const auto message = packet->template as<TypeParam>();
            if (!message) continue;
            const Header header{
                .takes_another = packet->takes_another(), .descriptors = 0, .trace = packet->trace()};
            ASSERT_EQ(*encode(*message, header), bytes) << i;
        }
    }
}

TEST(Codec, HeaderEdges) {
    const std::string packet = *encode(Wakeup{}, {.takes_another = true, .trace = "x"});
    EXPECT_TRUE(Packet::parse(packet, {})->takes_another());
    EXPECT_FALSE(Packet::parse(*encode(Wakeup{}), {})->takes_another());
    const auto code = [](std::string bytes) {
        const auto parsed = Packet::parse(std::move(bytes), {});
        return parsed ? std::string("good") : parsed.error().what;
    };
    const auto with = [&](std::size_t at, char c) {
        std::string changed = packet;
        changed[at] = c;
        return changed;
    };
    const std::pair<std::string, std::string> cases[] = {
        {packet, "good"},
        {"", "message: not one of ours"},
        {packet.substr(0, 10), "message: not one of ours"},
        {with(0, 'p'), "message: not one of ours"},
        {with(2, 2), "message: another protocol version"},
        {with(5, 3), "message: unknown flags"},
        {with(8, 1), "message: unknown flags"},
        {with(9, 1), "message: descriptors do not match its header"},
        {with(10, 2), "message: malformed trace"},
        {with(10, 127), "message: malformed trace"},
    };
    for (const auto& [bytes, expected] : cases) EXPECT_EQ(code(bytes), expected);
    const std::string long_trace(kMaxTrace + 1, 't');
    EXPECT_EQ(Packet::parse(*encode(Wakeup{}, {.trace = long_trace}), {})->trace().size(),
              kMaxTrace)
        << "a trace is cut, not refused";
    std::string beyond = *encode(Wakeup{}, {.trace = std::string(kMaxTrace, 't')}) + "t";
    beyond[10] = kMaxTrace + 1;
    EXPECT_EQ(code(beyond), "message: malformed trace");
}

TEST(Codec, BoundsHoldOnBothSides) {
    const auto at = ResolveRequest{.sender = std::string(kMaxAddress, 'x'), .recipient = ""};
    std::string bytes = *encode(at);
    EXPECT_TRUE(Packet::parse(bytes, {})->as<ResolveRequest>());
    const auto size_at = bytes.find("senders") + 7;
    EXPECT_EQ(static_cast<unsigned char>(bytes[size_at]), kMaxAddress & 255);
    bytes[size_at] = static_cast<char>((kMaxAddress + 1) & 255);
    EXPECT_EQ(Packet::parse(bytes, {})->as<ResolveRequest>().error().what,
              "attribute sender: too long");
    bytes[size_at + 3] = '\xff';  // four gigabytes
    EXPECT_FALSE(Packet::parse(bytes, {})->as<ResolveRequest>());
}

TEST(Codec, CountsOfRecordsAreBounded) {
    SubmitRecipients many;
    many.recipients.resize(kMaxRecipientsPerMessage);
    EXPECT_TRUE(encode(many));
    many.recipients.resize(kMaxRecipientsPerMessage + 1);
    EXPECT_EQ(encode(many).error().code, Errc::invalid);
    std::string bytes = *encode(SubmitRecipients{});
    bytes[bytes.find("recipientsR") + 11] = static_cast<char>(kMaxRecipientsPerMessage + 1);
    EXPECT_EQ(Packet::parse(bytes, {})->as<SubmitRecipients>().error().what,
              "attribute recipients: too many values");
    bytes[bytes.find("recipientsR") + 18] = '\x7f';  // more than there is memory for
    EXPECT_EQ(Packet::parse(bytes, {})->as<SubmitRecipients>().error().what,
              "attribute recipients: too many values");
}

TEST(Codec, APacketIsNoLongerThanTheSocketTakes) {
    SubmitRecipients big;
    big.recipients.resize(kMaxRecipientsPerMessage);
    for (auto& one : big.recipients) one.address = one.original = std::string(kMaxAddress, 'x');
    EXPECT_EQ(encode(big).error().what, "message type 34: too long to send");
    big.recipients.resize(20);
    EXPECT_LE(encode(big)->size(), kMaxPacket);
}

// --- Channel ---

TEST(Channel, WaitsForAReaderOnlyUntilTheDeadline) {
    auto ends = *sys::packet_pair();
    Channel a(std::move(ends.first));
    Result<void> sent;
    SubmitRecipients big;
    big.recipients.resize(40);
    for (auto& one : big.recipients) one.address = std::string(300, 'x');
    int count = 0;
    while ((sent = a.send(big, Deadline::in(Millis{20})))) ASSERT_LT(++count, 1000);
    EXPECT_EQ(sent.error().code, Errc::timeout);
    Channel b(std::move(ends.second));
    EXPECT_TRUE(b.receive<SubmitRecipients>(in_time()));
    EXPECT_TRUE(a.send(big, in_time())) << "and goes on when there is room";
}

TEST(Channel, CarriesNoMoreDescriptorsThanTheOtherSideTakes) {
    auto ends = *sys::packet_pair();
    Channel a(std::move(ends.first)), b(std::move(ends.second));
    const Fd null(::open("/dev/null", O_RDONLY));
    for (const std::size_t count : {kMaxDescriptors, kMaxDescriptors + 1, std::size_t{256}}) {
        const std::vector<int> fds(count, null.get());
        const auto sent = a.send(Wakeup{}, in_time(), "", fds);
        EXPECT_EQ(sent.has_value(), count <= kMaxDescriptors) << count;
        if (sent) {
            EXPECT_EQ(b.receive_packet(in_time())->descriptor_count(), count);
        }
    }
}

TEST(Channel, RefusesStrangersPacketsWithoutALeak) {
    auto ends = *sys::packet_pair();
    Channel b(std::move(ends.second));
    const Fd null(::open("/dev/null", O_RDONLY));
    const std::vector<int> five(kMaxDescriptors + 1, null.get()), one(1, null.get());
    const std::string good = *encode(Wakeup{});
    const std::string with_one = *encode(Wakeup{}, {.descriptors = 1});
    const struct {
        const char* name;
        std::string bytes;
        std::vector<int> descriptors;
    } cases[] = {
        {"garbage", "garbage that is no packet", {}},
        {"longer than a packet", std::string(kMaxPacket + 1, 'x'), {}},
        {"a descriptor too few", with_one, {}},
        {"a descriptor too many", good, one},
        {"more than any message", with_one, five},
        {"descriptors alone", "x", one},
        {"empty", "", one},
    };
    for (const auto& c : cases) {
        const auto before = open_descriptors();
        ASSERT_TRUE(sys::send_packet(ends.first.get(), c.bytes, c.descriptors)) << c.name;
        const auto packet = b.receive_packet(in_time());
        ASSERT_FALSE(packet) << c.name;
        EXPECT_EQ(packet.error().code, Errc::invalid) << c.name;
        EXPECT_EQ(open_descriptors(), before) << c.name;
    }
    ASSERT_TRUE(sys::send_packet(ends.first.get(), with_one, one));
    auto packet = b.receive_packet(in_time());
    ASSERT_TRUE(packet) << "the next good one is read";
    EXPECT_TRUE(static_cast<bool>(packet->take_descriptor()));
    EXPECT_FALSE(static_cast<bool>(packet->take_descriptor())) << "once";
}

TEST(Call, SaysWhichServiceFailedAndHow) {
    support::TempFolder folder;
    const std::string path = folder / "s";
    const auto ask = [&](Millis limit) {
        return call<SubmitResult>(path, SubmitEnd{1}, Deadline::in(limit)).error();
    };
    EXPECT_EQ(ask(Millis{1000}).what,
              "service " + path + ": connect to " + path + ": No such file or directory");
    const Fd listener = *sys::listen_unix(path, 0600);
    EXPECT_EQ(ask(Millis{20}).code, Errc::timeout);
    const auto answered_by = [&](const std::function<void(Channel&)>& server) {
        const pid_t child = ::fork();
        if (child == 0) {
            for (;;) {
                // Connections of callers that gave up are in the queue still.
                static_cast<void>(sys::wait_ready(listener.get(), sys::Ready::read, in_time()));
                auto accepted = sys::accept_from(listener.get());
                if (!accepted || !*accepted) ::_exit(1);
                Channel channel(std::move((*accepted)->fd));
                const auto end = channel.receive<SubmitEnd>(in_time());
                if (!end || end->size != 2) continue;
                server(channel);
                ::_exit(0);
            }
        }
        auto answer = call<SubmitResult>(path, SubmitEnd{2}, in_time());
        ::waitpid(child, nullptr, 0);
        return answer;
    };
    EXPECT_EQ(answered_by([](Channel&) {}).error().code, Errc::closed);
    EXPECT_EQ(answered_by([](Channel& c) { static_cast<void>(c.send(SubmitEnd{3}, in_time())); })
                  .error()
                  .what,
              "service " + path + ": message type 35: not expected here");
    const auto good = answered_by(
        [](Channel& c) { static_cast<void>(c.send(SubmitResult{.text = "yes"}, in_time())); });
    ASSERT_TRUE(good);
    EXPECT_EQ(good->text, "yes");
}

}  // namespace
}  // namespace postern::ipc
