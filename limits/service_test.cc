// anvil's conversations.
#include "limits/service.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/unix_socket.h"

namespace postern::limits {
namespace {

using ipc::AnvilEvent;
using testing::HasSubstr;

class ServiceTest : public testing::Test {
  protected:
    ServiceTest() {
        log::open_capture();
        make(Millis{600'000});
    }
    void make(Millis status_interval) {
        conversations_ = std::make_unique<Conversations>(loop_, Counts::Options{}, status_interval,
                                                         [this] { ++ended_; });
    }
    std::unique_ptr<ipc::LoopChannel> connect() {
        auto pair = sys::packet_pair();
        conversations_->serve(std::move(pair->second), false);
        return std::make_unique<ipc::LoopChannel>(
            loop_, std::move(pair->first),
            ipc::LoopChannel::Handler{[this](const ipc::Packet& packet) {
                                          const auto answer = packet.as<ipc::AnvilAnswer>();
                                          answers_ += answer
                                                          ? cat({std::to_string(answer->count), "/",
                                                                 std::to_string(answer->rate), " "})
                                                          : "malformed ";
                                      },
                                      [this](const Error&) { ++closed_; }});
    }
    static void say(ipc::LoopChannel& channel, AnvilEvent event) {
        ASSERT_TRUE(channel.send(ipc::AnvilQuestion{event, "smtp", "192.0.2.1"}));
    }
    void until(const std::function<bool()>& done) {
        const auto deadline = Deadline::in(Millis{30'000});
        while (!done() && !deadline.passed()) loop_.run_for(Millis{1});
        EXPECT_TRUE(done());
    }
    loop::Loop loop_;
    int ended_ = 0, closed_ = 0;
    std::string answers_;
    std::unique_ptr<Conversations> conversations_;
};

TEST_F(ServiceTest, AnswersInOrderAndCountsOverAllProcesses) {
    auto one = connect(), other = connect();
    say(*one, AnvilEvent::connect);
    say(*one, AnvilEvent::mail);
    until([&] { return answers_ == "1/1 1/1 "; });
    say(*other, AnvilEvent::connect);
    until([&] { return answers_ == "1/1 1/1 2/2 "; });
    say(*one, AnvilEvent::disconnect);
    say(*one, AnvilEvent::disconnect);  // more than it has begun: of no effect
    say(*one, AnvilEvent::mail);
    until([&] { return answers_ == "1/1 1/1 2/2 1/2 "; });
}

TEST_F(ServiceTest, AProcessThatEndsTakesItsSessionsAlong) {
    auto one = connect(), other = connect();
    say(*one, AnvilEvent::connect);
    say(*one, AnvilEvent::connect);
    until([&] { return answers_ == "1/1 2/2 "; });
    one.reset();
    until([&] { return ended_ == 1; });
    say(*other, AnvilEvent::connect);
    until([&] { return answers_ == "1/1 2/2 1/3 "; });
}

// After a reload we know of nobody: who asks for all at once would hear that nobody is here.
TEST_F(ServiceTest, AnOperatorWaitsUntilSessionsAreTold) {
    auto pair = sys::packet_pair();
    conversations_->serve(std::move(pair->second), true);
    std::vector<ipc::SessionFacts> listed;
    ipc::LoopChannel operating(
        loop_, std::move(pair->first),
        {[&](const ipc::Packet& packet) { listed = packet.as<ipc::SessionList>()->sessions; },
         [](const Error&) {}});
    ASSERT_TRUE(operating.send(ipc::SessionListRequest{{}, ""}));
    auto login = connect();
    ipc::SessionFacts facts;
    facts.session = *SessionId::parse(std::string(SessionId::kSize, 'b'));
    facts.state = ipc::SessionState::active;
    facts.user = "bob";
    ASSERT_TRUE(login->send(ipc::SessionReport{{facts}}));
    until([&] { return !listed.empty(); });
    EXPECT_EQ(listed.at(0).user, "bob");
}

TEST_F(ServiceTest, ClosesOnNonsense) {
    auto one = connect();
    ASSERT_TRUE(one->send(ipc::AnvilAnswer{}));
    until([&] { return closed_ == 1 && ended_ == 1; });
    EXPECT_THAT(log::take_captured(), HasSubstr("warning "));
}

TEST_F(ServiceTest, TellsStatisticsInTurnAndAtItsEnd) {
    make(Millis{20});
    auto one = connect();
    say(*one, AnvilEvent::connect);
    std::string logged;
    until([&] {
        logged += log::take_captured();
        return logged.find("max cache size 1 at ") != logged.npos;
    });
    EXPECT_THAT(logged, HasSubstr("statistics: max connection count 1 for (smtp:192.0.2.1) at "));
    say(*one, AnvilEvent::mail);
    until([&] { return answers_ == "1/1 1/1 "; });
    one.reset();
    conversations_.reset();
    EXPECT_THAT(logged + log::take_captured(), HasSubstr("statistics: max message rate 1/60s"));
}

}  // namespace
}  // namespace postern::limits
