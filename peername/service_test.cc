#include "peername/service.h"

#include "lib/log/log.h"
#include "lib/sys/unix_socket.h"

#include "tests/support/fake_dns.h"

namespace postern::peername {
namespace {

class ServiceTest : public testing::Test {
  protected:
    ServiceTest() { log::open_capture(); }
    // A client's end of a conversation.
    std::unique_ptr<ipc::LoopChannel> connect() {
        auto pair = sys::packet_pair();
        conversations_.serve(std::move(pair->second));
        return std::make_unique<ipc::LoopChannel>(
            loop_, std::move(pair->first),
            ipc::LoopChannel::Handler{[this](const ipc::Packet& packet) {
                                          auto answer = packet.as<ipc::NameAnswer>();
                                          answers_.push_back(answer ? answer->name : "malformed");
                                          loop_.stop();
                                      },
                                      [this](const Error&) {
                                          ++closed_;
                                          loop_.stop();
                                      }});
    }
    void until(const std::function<bool()>& done) {
        for (int i = 0; i < 10 && !done(); ++i) loop_.run_for(Millis{2000});
        EXPECT_TRUE(done());
    }
    loop::Loop loop_;
    tests::FakeAsyncDns dns_{loop_,
                             "1.2.0.192.in-addr.arpa PTR good.test\ngood.test A 192.0.2.1\n"};
    NameFinder finder_{dns_, HostsFile{}, Millis{10'000}};
    int ended_ = 0, closed_ = 0;
    Conversations conversations_{loop_, finder_, [this] {
                                     ++ended_;
                                     loop_.stop();
                                 }};
    std::vector<std::string> answers_;
};

TEST_F(ServiceTest, AnswersAndEnds) {
    auto client = connect();
    ASSERT_TRUE(client->send(ipc::NameQuestion{"192.0.2.1"}));
    loop_.run();
    EXPECT_EQ(answers_, std::vector<std::string>{"good.test"});
    EXPECT_EQ(ended_, 0);
    client.reset();
    until([this] { return ended_ == 1; });
}

TEST_F(ServiceTest, ClosesOnNonsense) {
    auto client = connect();
    ASSERT_TRUE(client->send(ipc::NameAnswer{}));
    until([this] { return closed_ == 1 && ended_ == 1; });
    EXPECT_NE(log::take_captured().find("warning "), std::string::npos);
}

TEST_F(ServiceTest, ForgetsWhoLeaves) {
    auto client = connect();
    ASSERT_TRUE(client->send(ipc::NameQuestion{"192.0.2.1"}));
    client.reset();
    until([this] { return ended_ == 1; });
    EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace postern::peername
