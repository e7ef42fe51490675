// One submitter in conversation with cleanup, over real sockets and pipes on a real loop, with a
// rewrite service that answers from a table.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>

#include "lib/ipc/channel.h"
#include "lib/log/log.h"
#include "lib/queue/directories.h"
#include "lib/queue/reader.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/temp_folder.h"

#include "cleanup/conversation.h"

namespace postern::cleanup {

inline constexpr const char* kText = "Subject: hello\r\n\r\nbody\r\n.dot\r\n";

class TransactionTest : public ::testing::Test {
  protected:
    TransactionTest() { start(plain); }

    void start(sys::Fs& use) {
        conversation.reset();  // it knows the tools
        tools.reset();
        committer.reset();
        committer = std::make_unique<Committer>(
            loop, use, options, [&](const QueueId& file) { nudged.push_back(file); });
        tools =
            std::make_unique<Tools>(Tools{loop, use, SystemClock::instance(),
                                          SystemRandom::instance(), options, *committer, rewrite});
    }
    void SetUp() override {
        log::open_capture();
        ASSERT_TRUE(queue::create_all(plain));
        listener = sys::listen_unix(folder / "rewrite", 0600).value();
        rewrite_watch =
            std::make_unique<loop::Watch>(loop, listener.get(), [this] { answer_rewrite(); });
        rewrite_watch->want_read(true);
    }
    // A connected transaction; `peer` is the submitter's end.
    void connect() {
        auto [ours, theirs] = sys::packet_pair().value();
        peer = std::make_unique<ipc::Channel>(std::move(theirs));
        conversation = std::make_unique<Conversation>(*tools, std::move(ours), trust, [this] {
            loop.post([this] { conversation.reset(); });
            ended = true;
        });
        int fds[2];
        ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
        pipe_read = Fd(fds[0]);
        pipe_write = Fd(fds[1]);
    }
    ipc::SubmitOpen submission(std::vector<std::string> recipients) {
        ipc::SubmitOpen open;
        open.sender = "a@client.test";
        open.client_name = "unknown";
        open.client_address = "192.0.2.1";
        open.helo = "vm";
        open.protocol = "ESMTP";
        for (std::string& r : recipients) open.recipients.push_back({.address = std::move(r)});
        return open;
    }
    static Deadline soon() { return Deadline::in(Millis(10'000)); }
    void send_open(const ipc::SubmitOpen& open) {
        const int fd = pipe_read.get();
        ASSERT_TRUE(peer->send(open, soon(), "", std::span(&fd, 1)));
        pipe_read.reset();
    }
    void write_all(std::string_view text) {
        ASSERT_TRUE(sys::set_nonblocking(pipe_write.get()));
        while (!text.empty()) {
            const ssize_t n = ::write(pipe_write.get(), text.data(), text.size());
            if (n < 0) {
                spin();
                continue;
            }
            text.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    void send_end(std::uint64_t size) {
        pipe_write.reset();
        ASSERT_TRUE(peer->send(ipc::SubmitEnd{size}, soon()));
    }
    void spin() { loop.run_for(Millis(1)); }
    // Runs the loop until the submitter has a packet or was hung up on.
    template <ipc::Record T>
    Result<T> hear() {
        const Deadline deadline = soon();
        while (!deadline.passed()) {
            auto got = peer->receive<T>(Deadline::in(Millis(0)));
            if (got || got.error().code != Errc::timeout) return got;
            spin();
        }
        return Error{Errc::timeout, "nothing heard"};
    }
    Result<ipc::SubmitResult> submit(const ipc::SubmitOpen& open, const std::string& text) {
        connect();
        send_open(open);
        TRY_ASSIGN(const ipc::SubmitOpened opened, hear<ipc::SubmitOpened>());
        EXPECT_FALSE(opened.queue_id.empty());
        write_all(text);
        send_end(text.size());
        return hear<ipc::SubmitResult>();
    }
    queue::Message stored(const QueueId& id, std::string* text = nullptr) {
        const Fd fd = plain.open("incoming/" + id.str(), O_RDONLY, 0).value();
        const auto message = queue::Reader::open(plain, fd.get())->message(0).value();
        if (text != nullptr)
            *text = plain.read_at(fd.get(), message.body.offset, message.body.size).value();
        return message;
    }
    void answer_rewrite() {
        const Fd accepted(
            ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        ipc::Channel channel(Fd(::dup(accepted.get())));
        const auto packet = channel.receive_packet(soon());
        ASSERT_TRUE(packet);
        ++questions;
        if (packet->type() == ipc::HeaderRequest::kType) {
            const auto question = packet->as<ipc::HeaderRequest>();
            ASSERT_TRUE(question);
            (void)channel.send(header_answer(*question), soon());
            return;
        }
        const auto question = packet->as<ipc::ExpandRequest>();
        ASSERT_TRUE(question);
        (void)channel.send(rewrite_answer(*question), soon());
    }

    const support::TempFolder folder;
    support::RootedFs plain{folder.path()};
    loop::Loop loop;
    Options options;
    std::unique_ptr<Committer> committer;
    ipc::Client rewrite{loop, folder / "rewrite"};
    std::unique_ptr<Tools> tools;
    std::unique_ptr<ipc::Channel> peer;
    std::unique_ptr<Conversation> conversation;
    bool ended = false;
    Trust trust = Trust::any_origin;
    Fd pipe_read, pipe_write, listener;
    std::unique_ptr<loop::Watch> rewrite_watch;
    std::vector<QueueId> nudged;
    int questions = 0;
    // "s" before senders, "r" before recipients.
    std::function<ipc::HeaderAnswer(const ipc::HeaderRequest&)> header_answer =
        [](const ipc::HeaderRequest& q) {
            ipc::HeaderAnswer answer{ipc::LookupOutcome::ok, "", {}, {}};
            for (const auto& address : q.senders) answer.senders.push_back("s" + address);
            for (const auto& address : q.recipients) answer.recipients.push_back("r" + address);
            return answer;
        };
    std::function<ipc::ExpandAnswer(const ipc::ExpandRequest&)> rewrite_answer =
        [](const ipc::ExpandRequest& q) {
            return ipc::ExpandAnswer{ipc::LookupOutcome::ok, "", "", {q.address + "@origin.test"}};
        };
};

}  // namespace postern::cleanup
