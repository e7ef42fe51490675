// What the tests of smtpd stand on: the whole of it but main(), a client on one end of a socket
// pair, and neighbours (policy, auth, peername, cleanup) played on their sockets, all on one loop.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include "lib/log/log.h"
#include "lib/service/accept.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/temp_folder.h"

#include "smtpd/smtpd_service.h"

namespace postern::smtpd {

using support::TempFolder;

// Accepts on a socket and keeps the channels.
class Neighbour {
  public:
    Neighbour(loop::Loop& loop, const std::string& path)
        : loop_(loop),
          listener_(sys::listen_unix(path, 0600).value()),
          watch_(loop, listener_.get(), [this] { accept(); }) {
        watch_.want_read(true);
    }
    virtual ~Neighbour() = default;
    void hang_up() { talks_.clear(); }
    // What is sent stays unread from now on.
    void turn_deaf() {
        for (auto& talk : talks_) talk->channel->pause();
    }
    std::size_t conversations = 0, closed = 0;

  protected:
    struct Talk {
        std::unique_ptr<ipc::LoopChannel> channel;
        Fd content;
        std::unique_ptr<loop::Watch> reading;
        std::string bytes;
        std::optional<std::uint64_t> promised;
    };
    virtual void on_packet(Talk& talk, ipc::Packet packet) = 0;
    virtual void on_closed(Talk&) {}

    loop::Loop& loop_;

  private:
    void accept() {
        Fd socket = service::accept_connection(listener_.get()).value();
        if (!socket) return;
        ++conversations;
        talks_.push_back(std::make_unique<Talk>());
        Talk* talk = talks_.back().get();
        talk->channel = std::make_unique<ipc::LoopChannel>(
            loop_, std::move(socket),
            ipc::LoopChannel::Handler{
                [this, talk](ipc::Packet p) { on_packet(*talk, std::move(p)); },
                [this, talk](Error) {
                    ++closed;
                    on_closed(*talk);
                }});
    }
    Fd listener_;
    loop::Watch watch_;
    std::vector<std::unique_ptr<Talk>> talks_;
};

struct FakePolicy : Neighbour {
    using Neighbour::Neighbour;
    void on_packet(Talk& talk, ipc::Packet packet) override {
        if (const auto client = packet.as<ipc::ClientQuestion>()) {
            clients.push_back(*client);
            ASSERT_TRUE(talk.channel->send(traits));
            return;
        }
        if (const auto line = packet.as<ipc::MapQuestion>()) {
            const auto at = lines.find(line->key);
            ipc::MapAnswer answer{at != lines.end(), lines_fail, {}};
            if (answer.found) answer.value = at->second;
            ASSERT_TRUE(talk.channel->send(answer));
            return;
        }
        questions.push_back(packet.as<ipc::PolicyQuestion>().value());
        if (silent) return;
        ipc::PolicyAnswer answer;
        answer.outcome = ipc::Outcome::accept;
        answer.actions = actions[questions.back().stage];
        answer.notes = notes[questions.back().stage];
        if (questions.back().recipient == "nosuch@example.test") {
            answer.outcome = ipc::Outcome::reject;
            answer.smtp_code = 550;
            answer.status = "5.1.1";
            answer.text = "<nosuch@example.test>: Recipient address rejected: User unknown";
        }
        ASSERT_TRUE(talk.channel->send(answer));
    }
    std::vector<ipc::PolicyQuestion> questions;
    std::vector<ipc::ClientQuestion> clients;
    ipc::ClientTraits traits;
    std::map<std::string, std::string> lines;
    std::map<ipc::PolicyStage, std::vector<ipc::MailAction>> actions;
    std::map<ipc::PolicyStage, std::vector<ipc::PolicyNote>> notes;
    bool lines_fail = false;
    bool silent = false;
};

struct FakeQmgr : Neighbour {
    using Neighbour::Neighbour;
    void on_packet(Talk& talk, ipc::Packet packet) override {
        orders.push_back(packet.as<ipc::QueueControl>().value());
        ASSERT_TRUE(talk.channel->send(answer));
    }
    std::vector<ipc::QueueControl> orders;
    ipc::QueueControlAnswer answer;
};

struct FakeAuth : Neighbour {
    using Neighbour::Neighbour;
    void on_packet(Talk& talk, ipc::Packet packet) override {
        requests.push_back(packet.as<ipc::AuthRequest>().value());
        ipc::AuthAnswer answer;
        const bool good = requests.back().response == std::string("\0me\0secret", 10);
        answer.outcome = good ? ipc::AuthOutcome::success : ipc::AuthOutcome::failure;
        if (good) answer.user = "me@example.test";
        ASSERT_TRUE(talk.channel->send(answer));
    }
    std::vector<ipc::AuthRequest> requests;
};

struct FakePeername : Neighbour {
    using Neighbour::Neighbour;
    void on_packet(Talk& talk, ipc::Packet packet) override {
        addresses.push_back(packet.as<ipc::NameQuestion>().value().address);
        if (silent) return;
        ASSERT_TRUE(talk.channel->send(answer));
    }
    std::vector<std::string> addresses;
    ipc::NameAnswer answer;
    bool silent = false;
};

struct FakeCleanup : Neighbour {
    using Neighbour::Neighbour;
    void on_packet(Talk& talk, ipc::Packet packet) override {
        if (packet.type() == ipc::SubmitOpen::kType) {
            if (std::exchange(hang_up_at_open, false)) {
                // At once, but not from inside its own call.
                return loop_.post([this] { hang_up(); });
            }
            envelopes.push_back(packet.as<ipc::SubmitOpen>().value());
            if (packet.descriptor_count() > 0) talk.content = packet.take_descriptor();
            talk.promised.reset();
            talk.bytes.clear();
            if (envelopes.back().whole) {
                talk.bytes = envelopes.back().content;
                talk.promised = talk.bytes.size();
                return finish(talk);
            }
            if (refuse_open)
                return send_result(talk, "4.3.1", "Error: insufficient system storage",
                                   ipc::Outcome::defer);
            ipc::SubmitOpened opened;
            opened.queue_id = QueueId::parse("4cQ1zXy3lKz1").value();
            if (envelopes.back().queue_id.empty()) {
                ASSERT_TRUE(talk.channel->send(opened));
            }
            Talk* at = &talk;
            talk.reading =
                std::make_unique<loop::Watch>(loop_, talk.content.get(), [this, at] { read(*at); });
            if (!lazy) talk.reading->want_read(true);
            reader = talk.reading.get();
        } else if (packet.type() == ipc::MilterEvent::kType) {
            events.push_back(packet.as<ipc::MilterEvent>().value());
            ipc::MilterAnswer answer;
            if (events.back().stage == milter_refuses) {
                answer.accepted = false;
                answer.smtp_code = 550;
                answer.text = "5.7.1 Command rejected";
            }
            ASSERT_TRUE(talk.channel->send(answer));
        } else if (packet.type() == ipc::SubmitRecipients::kType) {
            const auto more = packet.as<ipc::SubmitRecipients>().value();
            for (const auto& r : more.recipients) envelopes.back().recipients.push_back(r);
        } else {
            const auto end = packet.as<ipc::SubmitEnd>().value();
            talk.promised = end.size;
            late_actions = end.actions;
            finish(talk);
        }
    }
    void on_closed(Talk& talk) override {
        if (!talk.promised) ++aborted;
    }
    void read(Talk& talk) {
        char bytes[65536];
        const ssize_t size = ::read(talk.content.get(), bytes, sizeof bytes);
        if (size > 0) talk.bytes.append(bytes, static_cast<std::size_t>(size));
        if (size == 0) return talk.reading.reset();
        finish(talk);
    }
    void finish(Talk& talk) {
        if (!talk.promised || talk.bytes.size() < *talk.promised) return;
        EXPECT_EQ(talk.bytes.size(), *talk.promised);
        messages.push_back(talk.bytes);
        if (silent) return;
        if (!verdict_text.empty())
            return send_result(talk, "5.4.6", verdict_text, ipc::Outcome::reject);
        send_result(talk, "2.0.0", "Ok", ipc::Outcome::accept);
    }
    void send_result(Talk& talk, const char* status, const std::string& text,
                     ipc::Outcome outcome) {
        ipc::SubmitResult result;
        result.outcome = outcome;
        result.status = status;
        result.text = text;
        if (outcome == ipc::Outcome::accept) {
            const auto& offered = envelopes.back().queue_id;
            result.queue_id = offered.empty() ? QueueId::parse("4cQ1zXy3lKz1").value() : offered;
        }
        if (offers)
            result.next =
                QueueId::parse("4cQ1zXy3lK" + std::to_string(10 + messages.size())).value();
        ASSERT_TRUE(talk.channel->send(result));
    }
    std::vector<ipc::MilterEvent> events;
    std::optional<ipc::MilterStage> milter_refuses;
    std::vector<ipc::SubmitOpen> envelopes;
    std::vector<ipc::MailAction> late_actions;
    std::vector<std::string> messages;
    loop::Watch* reader = nullptr;
    std::size_t aborted = 0;
    bool refuse_open = false, lazy = false, silent = false, hang_up_at_open = false;
    bool offers = false;
    std::string verdict_text;
};

class SmtpdTest : public testing::Test {
  protected:
    SmtpdTest() {
        log::open_capture();
        options.engine.hostname = "mail.test";
        options.engine.banner = "mail.test ESMTP";
        options.service = "smtp";
        options.policy_path = folder.path() + "/policy";
        options.auth_path = folder.path() + "/auth";
        options.cleanup_path = folder.path() + "/cleanup";
        options.peername_path = folder.path() + "/peername";
        options.qmgr_path = folder.path() + "/qmgr";
    }
    void begin() {
        policy = std::make_unique<FakePolicy>(loop, options.policy_path);
        auth = std::make_unique<FakeAuth>(loop, options.auth_path);
        cleanup = std::make_unique<FakeCleanup>(loop, options.cleanup_path);
        smtpd = std::make_unique<SmtpdService>(loop, std::move(options), [this] { ++ended; });
        connect();
    }
    void connect() {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        client = Fd(ends[0]);
        smtpd->on_connection(Fd(ends[1]));
    }
    // A client with an address, for which the name is asked.
    void connect_inet() {
        options.name_lookup = true;
        begin();
        names = std::make_unique<FakePeername>(loop, folder.path() + "/peername");
        const auto listener = sys::listen_on(*sys::SocketAddress::parse("127.0.0.1:0"));
        ASSERT_TRUE(listener);
        auto connected = sys::start_connect(sys::local_address(listener->get()));
        ASSERT_TRUE(connected);
        std::optional<sys::Accepted> accepted;
        ASSERT_TRUE(wait_for([&] {
            auto one = sys::accept_from(listener->get());
            if (one && *one) accepted = std::move(*one);
            return accepted.has_value();
        }));
        client = std::move(*connected);
        smtpd->on_connection(std::move(accepted->fd));
    }
    // Sends, then reads until what came ends with the text (or too long a time is over).
    std::string talk(std::string_view text, std::string_view until) {
        std::string got;
        std::size_t sent = 0;
        const auto deadline = Deadline::in(Seconds(20));
        while (!deadline.passed()) {
            if (sent < text.size()) {
                const ssize_t n =
                    ::send(client.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
                if (n > 0) sent += static_cast<std::size_t>(n);
            }
            loop.run_for(Millis(1));
            char bytes[65536];
            const ssize_t size = ::recv(client.get(), bytes, sizeof bytes, 0);
            if (size > 0) got.append(bytes, static_cast<std::size_t>(size));
            if (size == 0) break;
            if (sent == text.size() && !until.empty() && got.ends_with(until)) break;
        }
        return got;
    }
    bool wait_for(const std::function<bool()>& condition) {
        const auto deadline = Deadline::in(Seconds(20));
        while (!condition() && !deadline.passed()) loop.run_for(Millis(1));
        return condition();
    }
    // Everything logged so far.
    const std::string& logged() { return log_ += log::take_captured(); }

    // The system's, until a test holds it.
    struct HoldableClock final : Clock {
        WallTime now() const override { return SystemClock::instance().now(); }
        SteadyTime steady() const override {
            return held ? *held : SystemClock::instance().steady();
        }
        std::optional<SteadyTime> held;
    };

    TempFolder folder;
    HoldableClock clock;
    loop::Loop loop{clock};
    Options options;
    std::unique_ptr<FakePolicy> policy;
    std::unique_ptr<FakeAuth> auth;
    std::unique_ptr<FakeCleanup> cleanup;
    std::unique_ptr<FakePeername> names;
    std::unique_ptr<SmtpdService> smtpd;
    Fd client;
    int ended = 0;
    std::string log_;
};

}  // namespace postern::smtpd
