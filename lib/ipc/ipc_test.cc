#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc/channel.h"
#include "lib/ipc/client.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/test_messages.h"

namespace postern::ipc {
namespace {

const QueueId kId = *QueueId::parse("4cQ1bbbBBB");

// A value with something in every repeated part.
template <class T>
T sample() {
    return T{};
}
template <>
SubmitOpen sample() {
    SubmitOpen m;
    m.sender = "a@example.test";
    m.recipients = {{"b@example.test", "B", kNotifyFailure, "rfc822;b@example.test"},
                    {"c@example.test", "", 0, ""}};
    return m;
}
template <>
DeliverReport sample() {
    return {{{.index = 3, .outcome = Outcome::accept, .status = "2.0.0", .text = "delivered"}}};
}
template <>
ExpandAnswer sample() {
    return {LookupOutcome::ok, "", "", {"a@b", "c@d"}};
}
template <>
QueueListEntry sample() {
    QueueListEntry m;
    m.queue_id = kId;
    m.recipients = {{"x@y", "connection refused"}};
    return m;
}

template <class T>
class EveryMessage : public testing::Test {};
TYPED_TEST_SUITE(EveryMessage, AllMessages);

TYPED_TEST(EveryMessage, RoundTrips) {
    const std::string bytes = *encode(sample<TypeParam>(), {.trace = "4cQ1"});
    auto packet = Packet::parse(bytes, {});
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->trace(), "4cQ1");
    auto decoded = packet->template as<TypeParam>();
    ASSERT_TRUE(decoded) << decoded.error().what;
    EXPECT_EQ(*encode(*decoded, {.trace = "4cQ1"}), bytes);
}

TYPED_TEST(EveryMessage, EveryPrefixFails) {
    const std::string bytes = *encode(sample<TypeParam>());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        auto packet = Packet::parse(bytes.substr(0, size), {});
        if (packet) {
            EXPECT_FALSE(packet->template as<TypeParam>()) << size;
        }
    }
    auto longer = Packet::parse(bytes + "x", {});
    ASSERT_TRUE(longer);
    EXPECT_FALSE(longer->template as<TypeParam>());
}

TEST(Codec, NamesBoundsAndRangesAreChecked) {
    ResolveRequest big{.sender = std::string(kMaxAddress + 1, 'x'), .recipient = ""};
    EXPECT_FALSE(encode(big));
    std::string bytes = *encode(ResolveRequest{"a", "b"});
    EXPECT_FALSE(Packet::parse(bytes, {})->as<ExpandRequest>());  // another type
    std::string renamed = bytes;
    renamed[renamed.find("recipient")] = 'R';
    auto wrong = Packet::parse(renamed, {})->as<ResolveRequest>();
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().what, "attribute recipient: missing");
    PolicyAnswer answer;
    std::string coded = *encode(answer);
    coded[coded.find("outcomen") + 8] = 9;
    EXPECT_EQ(Packet::parse(coded, {})->as<PolicyAnswer>().error().what,
              "attribute outcome: no such value");
    EXPECT_FALSE(Packet::parse("Pj" + bytes.substr(2), {}));
}

TEST(Codec, MalformedIdsAreRefused) {
    std::string bytes = *encode(QueueNudge{kId});
    bytes[bytes.find("4cQ1")] = '/';
    EXPECT_EQ(Packet::parse(bytes, {})->as<QueueNudge>().error().what,
              "attribute file: malformed id");
}

Deadline soon() { return Deadline::in(Millis{30'000}); }

TEST(Channel, CarriesMessagesAndDescriptors) {
    auto ends = *sys::packet_pair();
    Channel a(std::move(ends.first)), b(std::move(ends.second));
    const Fd null(::open("/dev/null", O_RDONLY));
    const int fds[] = {null.get()};
    ASSERT_TRUE(a.send(SubmitEnd{42}, soon(), "S1", fds));
    auto packet = b.receive_packet(soon());
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->descriptor_count(), 1U);
    EXPECT_EQ(packet->as<SubmitEnd>()->size, 42U);
    ASSERT_TRUE(a.send(SubmitEnd{1}, soon(), "", fds));
    EXPECT_FALSE(b.receive<SubmitEnd>(soon()));  // descriptors where none belong
    a = Channel(Fd());
    EXPECT_EQ(b.receive<SubmitEnd>(soon()).error().code, Errc::closed);
}

TEST(Channel, TimesOut) {
    auto ends = *sys::packet_pair();
    Channel a(std::move(ends.first));
    EXPECT_EQ(a.receive<SubmitEnd>(Deadline::in(Millis{5})).error().code, Errc::timeout);
}

struct SocketFile {
    SocketFile()
        : path("ipc_test." + std::to_string(::getpid())), listener(*sys::listen_unix(path, 0600)) {}
    ~SocketFile() { ::unlink(path.c_str()); }
    std::string path;
    Fd listener;
};

TEST(Client, AsksAndIsAnsweredNeverFromInside) {
    loop::Loop loop;
    SocketFile service;
    std::unique_ptr<LoopChannel> server;
    loop::Watch accept(loop, service.listener.get(), [&] {
        Fd socket(
            ::accept4(service.listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!socket) return;
        server = std::make_unique<LoopChannel>(
            loop, std::move(socket),
            LoopChannel::Handler{[&](Packet p) {
                                     EXPECT_TRUE(server->send(SubmitResult{
                                         .text = p.as<SubmitOpened>()->queue_id.str()}));
                                 },
                                 [](Error) {}});
    });
    accept.want_read(true);
    Client client(loop, service.path);
    std::string got;
    client.call<SubmitResult>(SubmitOpened{kId}, Millis{2000}, [&](Result<SubmitResult> r) {
        got = r ? r->text : r.error().what;
        loop.stop();
    });
    EXPECT_EQ(got, "");
    loop.run();
    EXPECT_EQ(got, kId.str());
    EXPECT_EQ(client.outstanding(), 0U);
}

TEST(Client, AConversationKeepsItsConnection) {
    loop::Loop loop;
    SocketFile service;
    std::unique_ptr<LoopChannel> server;
    loop::Watch accept(loop, service.listener.get(), [&] {
        Fd socket(::accept4(service.listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!socket) return;
        server = std::make_unique<LoopChannel>(
            loop, std::move(socket),
            LoopChannel::Handler{[&](const Packet&) {
                                     EXPECT_TRUE(server->send(SubmitResult{.text = "answer"}));
                                     EXPECT_TRUE(server->send(SubmitResult{.text = "more"}));
                                 },
                                 [](const Error&) {}});
    });
    accept.want_read(true);
    Client client(loop, service.path);
    std::string got;
    Fd kept;
    client.converse<SubmitResult>(SubmitOpened{kId}, Millis{2000}, [&](Result<SubmitResult> r, Fd connection) {
        got = r ? r->text : r.error().what;
        kept = std::move(connection);
        loop.stop();
    });
    loop.run();
    EXPECT_EQ(got, "answer");
    EXPECT_EQ(client.outstanding(), 0U);
    ASSERT_TRUE(kept);
    Channel channel(std::move(kept));
    EXPECT_EQ(channel.receive<SubmitResult>(Deadline::in(Millis{30'000}))->text, "more");
    server.reset();
    EXPECT_EQ(channel.receive<SubmitResult>(Deadline::in(Millis{30'000})).error().code, Errc::closed);

    client.converse<SubmitResult>(SubmitOpened{kId}, Millis{20}, [&](const Result<SubmitResult>& r, const Fd& connection) {
        EXPECT_FALSE(r);
        EXPECT_FALSE(connection);
        loop.stop();
    });
    accept.want_read(false);
    loop.run();
}

TEST(Client, SilenceAndAbsenceAreErrors) {
    loop::Loop loop;
    std::vector<Errc> errors;
    const auto note = [&](Result<SubmitResult> r) {
        ASSERT_FALSE(r);
        errors.push_back(r.error().code);
        if (errors.size() == 2) loop.stop();
    };
    SocketFile service;  // listens, never accepts
    Client silent(loop, service.path), absent(loop, "no-such-socket");
    silent.call<SubmitResult>(SubmitEnd{}, Millis{20}, note);
    absent.call<SubmitResult>(SubmitEnd{}, Millis{2000}, note);
    loop.run();
    EXPECT_THAT(errors, testing::ElementsAre(Errc::not_found, Errc::timeout));
}

}  // namespace
}  // namespace postern::ipc
