// Questions on the loop, to services that break off, flood, are silent or say nonsense.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "lib/ipc/client.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/ipc/messages/route.h"
#include "lib/sys/socket.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/processes.h"
#include "tests/support/temp_folder.h"

namespace postern::ipc {
namespace {

using support::open_descriptors;

// A service on the loop that does what each test wants with a connection.
struct Service {
    explicit Service(loop::Loop& l, int backlog = 16)
        : loop(l),
          path(folder / "s"),
          listener(*sys::listen_unix(path, 0600, backlog)),
          watch(loop, listener.get(), [this] { accept(); }) {
        watch.want_read(true);
    }
    void accept() {
        auto accepted = sys::accept_from(listener.get());
        if (!accepted || !*accepted) return;
        ++connections;
        channels.push_back(std::make_unique<LoopChannel>(
            loop, std::move((*accepted)->fd),
            LoopChannel::Handler{[this, n = channels.size()](Packet packet) {
                                     if (on_packet) on_packet(*channels[n], std::move(packet));
                                 },
                                 [this](const Error&) { ++ended; }}));
    }
    loop::Loop& loop;
    support::TempFolder folder;
    std::string path;
    Fd listener;
    std::vector<std::unique_ptr<LoopChannel>> channels;
    std::function<void(LoopChannel&, Packet)> on_packet;
    int connections = 0, ended = 0;
    loop::Watch watch;
};

struct Answers {
    std::function<void(Result<SubmitResult>)> note() {
        return [this](Result<SubmitResult> r) { all.push_back(r ? r->text : r.error().what); };
    }
    std::vector<std::string> all;
};

template <class Condition>
bool run_until(loop::Loop& loop, Condition condition) {
    const auto deadline = Deadline::in(Millis{30'000});
    while (!condition()) {
        if (deadline.passed()) return false;
        loop.run_for(Millis{5});
    }
    return true;
}

TEST(Client, BadAnswersAreErrorsAndCallsEnd) {
    const Fd null(::open("/dev/null", O_RDONLY));
    const struct {
        std::function<void(LoopChannel&, const std::string&)> answer;
        std::string expected;
    } cases[] = {
        {[](LoopChannel& c, const std::string&) { static_cast<void>(c.send(SubmitEnd{})); },
         "message type 35: not expected here"},
        {[&](LoopChannel& c, const std::string&) {
             const int fds[] = {null.get()};
             static_cast<void>(c.send(SubmitResult{}, "", fds));
         },
         "message: descriptors not expected"},
        {[](LoopChannel& c, const std::string&) {
             static_cast<void>(sys::send_packet(c.fd(), "junk"));
         },
         "message: not one of ours"},
        {[](LoopChannel& c, const std::string&) { ::shutdown(c.fd(), SHUT_RDWR); },
         "receive message: connection closed"},
    };
    for (const auto& c : cases) {
        loop::Loop loop;
        Service service(loop);
        service.on_packet = [&](LoopChannel& channel, const Packet&) { c.answer(channel, {}); };
        Client client(loop, service.path);
        Answers answers;
        client.call<SubmitResult>(SubmitEnd{}, Millis{5000}, answers.note());
        ASSERT_TRUE(run_until(loop, [&] { return !answers.all.empty(); })) << c.expected;
        loop.run_for(Millis{5});
        ASSERT_EQ(answers.all.size(), 1U) << c.expected;
        EXPECT_THAT(answers.all[0], testing::HasSubstr(c.expected));
        EXPECT_EQ(client.outstanding(), 0U);
    }
}

TEST(Client, AsksManyAtOnceEachOnItsOwnConnection) {
    loop::Loop loop;
    Service service(loop);
    service.on_packet = [](LoopChannel& channel, const Packet& packet) {
        const auto size = packet.as<SubmitEnd>()->size;
        static_cast<void>(channel.send(SubmitResult{.text = std::to_string(size)}));
    };
    Client client(loop, service.path);
    Answers answers;
    constexpr int kCalls = 200;  // more than the backlog holds: some wait for room
    for (int i = 0; i < kCalls; ++i)
        client.call<SubmitResult>(SubmitEnd{static_cast<std::uint64_t>(i)}, Millis{5000},
                                  answers.note());
    EXPECT_EQ(client.outstanding(), std::size_t{kCalls});
    ASSERT_TRUE(run_until(loop, [&] { return client.outstanding() == 0; }));
    EXPECT_EQ(service.connections, kCalls);
    std::vector<std::string> expected;
    for (int i = 0; i < kCalls; ++i) expected.push_back(std::to_string(i));
    EXPECT_THAT(answers.all, testing::UnorderedElementsAreArray(expected));
}

// Answers each question with its size.
void echo(LoopChannel& channel, const Packet& packet) {
    const auto size = packet.as<SubmitEnd>()->size;
    static_cast<void>(channel.send(SubmitResult{.text = std::to_string(size)}));
}

struct KeptClient {
    KeptClient() { service.on_packet = echo; }
    bool ask(std::uint64_t number) {
        const auto had = answers.all.size();
        client.call<SubmitResult>(SubmitEnd{number}, Millis{5000}, answers.note());
        return run_until(loop, [&] { return answers.all.size() > had; });
    }
    loop::Loop loop;
    Service service{loop};
    Client client{loop, service.path, Client::Connections::kept};
    Answers answers;
};

TEST(KeptClient, AsksAgainOnTheSameConnection) {
    KeptClient kept;
    for (std::uint64_t i = 0; i < 5; ++i) ASSERT_TRUE(kept.ask(i));
    EXPECT_EQ(kept.service.connections, 1);
    EXPECT_THAT(kept.answers.all, testing::ElementsAre("0", "1", "2", "3", "4"));
    kept.client.drain();
    ASSERT_TRUE(kept.ask(5));
    ASSERT_TRUE(kept.ask(6));
    EXPECT_EQ(kept.service.connections, 3) << "none is kept any more";
}

TEST(KeptClient, ManyQuestionsShareFewConnectionsEachGetsItsOwnAnswer) {
    KeptClient kept;
    ASSERT_TRUE(kept.ask(100));
    std::vector<std::string> expected{"100"};
    for (std::uint64_t i = 0; i < 50; ++i) {
        expected.push_back(std::to_string(i));
        kept.client.call<SubmitResult>(
            SubmitEnd{i}, Millis{5000},
            [&kept, want = std::to_string(i)](const Result<SubmitResult>& r) {
                EXPECT_EQ(r->text, want);
                kept.answers.all.push_back(r->text);
            });
    }
    ASSERT_TRUE(run_until(kept.loop, [&] { return kept.client.outstanding() == 0; }));
    EXPECT_THAT(kept.answers.all, testing::UnorderedElementsAreArray(expected));
    EXPECT_LT(kept.service.connections, 50);
}

TEST(KeptClient, AQuestionThatMeetsAnEndIsAskedOnceMore) {
    KeptClient kept;
    ASSERT_TRUE(kept.ask(1));
    kept.service.channels.clear();  // hung up while idle, not seen yet
    ASSERT_TRUE(kept.ask(2));
    int questions = 0;
    kept.service.on_packet = [&](LoopChannel& channel, const Packet& packet) {
        if (++questions == 1) {
            ::shutdown(channel.fd(), SHUT_RDWR);  // as if it had never been read
        } else {
            echo(channel, packet);
        }
    };
    ASSERT_TRUE(kept.ask(3));
    EXPECT_EQ(questions, 2);
    EXPECT_THAT(kept.answers.all, testing::ElementsAre("1", "2", "3"));
}

// Each kept connection is another worker: one that a question has ended is enough.
TEST(KeptClient, AQuestionThatEndsWorkersMeetsTwoOfThem) {
    KeptClient kept;
    ASSERT_TRUE(kept.ask(1));
    kept.service.on_packet = [](LoopChannel&, const Packet&) {};  // silent: others connect anew
    for (std::uint64_t i = 0; i < 4; ++i)
        kept.client.call<SubmitResult>(SubmitEnd{i}, Millis{5000}, kept.answers.note());
    ASSERT_TRUE(run_until(kept.loop, [&] { return kept.service.connections == 4; }));
    for (auto& channel : kept.service.channels)
        static_cast<void>(channel->send(SubmitResult{.text = "late"}));
    ASSERT_TRUE(run_until(kept.loop, [&] { return kept.client.outstanding() == 0; }));
    int ended = 0;
    kept.service.on_packet = [&](LoopChannel& channel, const Packet&) {
        ++ended;
        ::shutdown(channel.fd(), SHUT_RDWR);
    };
    ASSERT_TRUE(kept.ask(9));
    EXPECT_THAT(kept.answers.all.back(), testing::HasSubstr("connection closed"));
    EXPECT_EQ(ended, 2);
    kept.service.on_packet = echo;
    ASSERT_TRUE(kept.ask(10));
    EXPECT_EQ(kept.answers.all.back(), "10");
}

TEST(KeptClient, AnEndOnANewConnectionIsAnError) {
    KeptClient kept;
    ASSERT_TRUE(kept.ask(1));
    kept.service.on_packet = [](LoopChannel& channel, const Packet&) {
        ::shutdown(channel.fd(), SHUT_RDWR);
    };
    ASSERT_TRUE(kept.ask(2));
    EXPECT_THAT(kept.answers.all.back(), testing::HasSubstr("connection closed"));
    EXPECT_EQ(kept.service.connections, 2);
}

TEST(KeptClient, ALateAnswerIsNotTakenForTheNextOnes) {
    KeptClient kept;
    ASSERT_TRUE(kept.ask(1));
    LoopChannel* slow = nullptr;
    kept.service.on_packet = [&](LoopChannel& channel, const Packet&) { slow = &channel; };
    kept.client.call<SubmitResult>(SubmitEnd{2}, Millis{20}, kept.answers.note());
    ASSERT_TRUE(run_until(kept.loop, [&] { return kept.answers.all.size() == 2; }));
    EXPECT_THAT(kept.answers.all[1], testing::HasSubstr("no answer in time"));
    kept.service.on_packet = echo;
    ASSERT_NE(slow, nullptr);
    static_cast<void>(slow->send(SubmitResult{.text = "2, late"}));
    ASSERT_TRUE(kept.ask(3));
    EXPECT_EQ(kept.answers.all.back(), "3");
}

TEST(KeptClient, ASlowAnswerHoldsUpNobodyElse) {
    KeptClient kept;
    ASSERT_TRUE(kept.ask(1));
    kept.service.on_packet = [](LoopChannel& channel, const Packet& packet) {
        if (packet.as<SubmitEnd>()->size != 0) echo(channel, packet);  // 0: never
    };
    kept.client.call<SubmitResult>(SubmitEnd{0}, Millis{5000}, kept.answers.note());
    ASSERT_TRUE(kept.ask(7));
    EXPECT_EQ(kept.answers.all.back(), "7");
}

TEST(KeptClient, AnAnswerToNoQuestionEndsTheConnection) {
    KeptClient kept;
    ASSERT_TRUE(kept.ask(1));
    static_cast<void>(kept.service.channels[0]->send(SubmitResult{.text = "unasked"}));
    kept.loop.run_for(Millis{5});
    ASSERT_TRUE(kept.ask(2));
    EXPECT_EQ(kept.answers.all.back(), "2");
    EXPECT_EQ(kept.service.connections, 2);
}

// Requests with an effect, and a descriptor each; the service says whether it takes another.
struct OfferedClient {
    explicit OfferedClient(bool offers) {
        service.on_packet = [this, offers](LoopChannel& channel, Packet packet) {
            EXPECT_EQ(packet.descriptor_count(), 1U);
            const std::string text = std::to_string(packet.as<SubmitEnd>()->size);
            static_cast<void>(channel.answer(SubmitResult{.text = text}, "", offers));
        };
    }
    void ask(std::uint64_t number) {
        const int descriptor = file.get();
        client.call<SubmitResult>(SubmitEnd{number}, Millis{5000}, answers.note(), "",
                                  std::span(&descriptor, 1));
    }
    bool answered(std::size_t count) {
        return run_until(loop, [&] { return answers.all.size() == count; });
    }
    loop::Loop loop;
    Service service{loop};
    Client client{loop, service.path, Client::Connections::offered};
    Answers answers;
    Fd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
};

TEST(OfferedClient, UsesAConnectionAgainWhereThatIsOffered) {
    for (const bool offers : {false, true}) {
        OfferedClient offered(offers);
        for (std::uint64_t i = 0; i < 3; ++i) {
            offered.ask(i);
            ASSERT_TRUE(offered.answered(i + 1));
        }
        EXPECT_EQ(offered.service.connections, offers ? 1 : 3);
        EXPECT_THAT(offered.answers.all, testing::ElementsAre("0", "1", "2"));
    }
}

TEST(OfferedClient, AtOnceEachHasItsOwn) {
    OfferedClient offered(true);
    for (std::uint64_t i = 0; i < 3; ++i) offered.ask(i);
    ASSERT_TRUE(offered.answered(3));
    EXPECT_EQ(offered.service.connections, 3);
}

TEST(OfferedClient, KeepsNoMoreThanThirtyTwo) {
    OfferedClient offered(true);
    std::vector<std::function<void()>> held;  // until all have been asked
    offered.service.on_packet = [&](LoopChannel& channel, const Packet&) {
        held.push_back([&channel] {
            static_cast<void>(channel.answer(SubmitResult{}, "", true));
        });
    };
    for (std::uint64_t i = 0; i < 40; ++i) offered.ask(i);
    ASSERT_TRUE(run_until(offered.loop, [&] { return held.size() == 40; }));
    for (const auto& answer : held) answer();
    ASSERT_TRUE(offered.answered(40));
    EXPECT_TRUE(run_until(offered.loop, [&] { return offered.service.ended == 8; }));
    offered.loop.run_for(Millis{5});
    EXPECT_EQ(offered.service.ended, 8);
}

// The service ended between two requests: before it could read the second one.
TEST(OfferedClient, AnUnreadRequestIsMadeOnceMore) {
    OfferedClient offered(true);
    offered.ask(1);
    ASSERT_TRUE(offered.answered(1));
    offered.service.channels[0]->pause();
    offered.ask(2);
    offered.service.channels[0].reset();
    ASSERT_TRUE(offered.answered(2));
    EXPECT_THAT(offered.answers.all, testing::ElementsAre("1", "2"));
    EXPECT_EQ(offered.service.connections, 2);
}

TEST(OfferedClient, ARequestThatWasReadIsNot) {
    OfferedClient offered(true);
    offered.ask(1);
    ASSERT_TRUE(offered.answered(1));
    offered.service.on_packet = [](LoopChannel& channel, const Packet&) {
        ::shutdown(channel.fd(), SHUT_RDWR);
    };
    offered.ask(2);
    ASSERT_TRUE(offered.answered(2));
    EXPECT_THAT(offered.answers.all[1], testing::HasSubstr("connection closed"));
    EXPECT_EQ(offered.service.connections, 1);
}

TEST(Client, ABusyServiceIsATimeoutForThatCallOnly) {
    loop::Loop loop;
    Service service(loop, 0);
    service.watch.want_read(false);  // nobody accepts
    std::vector<Fd> others;
    while (auto one = sys::try_connect_unix(service.path)) others.push_back(*std::move(one));
    Client client(loop, service.path);
    Answers late, good;
    client.call<SubmitResult>(SubmitEnd{}, Millis{30}, late.note());
    ASSERT_TRUE(run_until(loop, [&] { return !late.all.empty(); }));
    EXPECT_EQ(late.all[0], "service " + service.path + ": no answer in time");
    service.on_packet = [](LoopChannel& channel, const Packet&) {
        static_cast<void>(channel.send(SubmitResult{.text = "at last"}));
    };
    client.call<SubmitResult>(SubmitEnd{}, Millis{5000}, good.note());
    service.watch.want_read(true);
    ASSERT_TRUE(run_until(loop, [&] { return !good.all.empty(); }));
    EXPECT_EQ(good.all[0], "at last");
}

TEST(Client, MayBeDestroyedOrAskedFromItsCallback) {
    loop::Loop loop;
    Service service(loop);
    service.on_packet = [](LoopChannel& channel, const Packet&) {
        static_cast<void>(channel.send(SubmitResult{.text = "x"}));
    };
    auto client = std::make_unique<Client>(loop, service.path);
    int calls = 0;
    std::function<void(Result<SubmitResult>)> again = [&](const Result<SubmitResult>&) {
        if (++calls < 3) return client->call<SubmitResult>(SubmitEnd{}, Millis{5000}, again);
        client.reset();
    };
    client->call<SubmitResult>(SubmitEnd{}, Millis{5000}, again);
    ASSERT_TRUE(run_until(loop, [&] { return !client; }));
    EXPECT_EQ(calls, 3);
}

TEST(Client, ThatGoesDropsItsCallsAndTheirDescriptors) {
    loop::Loop loop;
    Service service(loop);
    const auto before = open_descriptors();
    Answers answers;
    {
        Client client(loop, service.path);
        auto pipe = *sys::packet_pair();
        const int fds[] = {pipe.first.get()};
        client.call<SubmitResult>(SubmitEnd{}, Millis{5000}, answers.note(), "", fds);
        client.call<SubmitResult>(SubmitOpened{*QueueId::parse("4cQ1bbbBBB")}, Millis{5000}, answers.note(), "",
                                  std::vector<int>(9, 0));
    }
    loop.run_for(Millis{20});
    EXPECT_TRUE(answers.all.empty());
    service.channels.clear();
    EXPECT_EQ(open_descriptors(), before);
}

TEST(Client, WhatCannotBeSentIsAnErrorLater) {
    loop::Loop loop;
    Client client(loop, "no-such-socket");
    Answers answers;
    client.call<SubmitResult>(ResolveRequest{std::string(kMaxAddress + 1, 'x'), ""}, Millis{5000},
                              answers.note());
    client.call<SubmitResult>(SubmitEnd{}, Millis{5000}, answers.note(), "", std::vector<int>{-1});
    EXPECT_TRUE(answers.all.empty()) << "never from inside call()";
    ASSERT_TRUE(run_until(loop, [&] { return answers.all.size() == 2; }));
    EXPECT_EQ(answers.all[0], "service no-such-socket: message type 24: too long to send");
    EXPECT_EQ(answers.all[1],
              "service no-such-socket: connect to no-such-socket: No such file or directory");
}

TEST(Client, WithoutDescriptorsFailsAndRecovers) {
    const pid_t child = ::fork();
    if (child == 0) {
        loop::Loop loop;
        Service service(loop);
        service.on_packet = [](LoopChannel& channel, const Packet&) {
            static_cast<void>(channel.send(SubmitResult{.text = "x"}));
        };
        Client client(loop, service.path);
        Answers answers;
        const auto next = static_cast<rlim_t>(::dup(0));
        ::close(static_cast<int>(next));
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        rlimit none = limit;
        none.rlim_cur = next;
        ::setrlimit(RLIMIT_NOFILE, &none);
        client.call<SubmitResult>(SubmitEnd{}, Millis{5000}, answers.note());
        if (!run_until(loop, [&] { return answers.all.size() == 1; })) ::_exit(1);
        ::setrlimit(RLIMIT_NOFILE, &limit);
        client.call<SubmitResult>(SubmitEnd{}, Millis{5000}, answers.note());
        if (!run_until(loop, [&] { return answers.all.size() == 2; })) ::_exit(2);
        ::_exit(answers.all[0].find("Too many open files") != std::string::npos &&
                        answers.all[1] == "x"
                    ? 0
                    : 3);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace postern::ipc
