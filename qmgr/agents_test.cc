// What an agent's answer means, and what a request holds.
#include "qmgr/agents.h"

namespace postern::qmgr {
namespace {

ActiveMessage message(std::size_t recipients, std::size_t address_size = 10) {
    ActiveMessage result;
    result.message.envelope.id = *QueueId::parse("B123456k");
    result.message.envelope.sender = "s@x";
    result.message.envelope.set_attribute(queue::attribute::kRet, "hdrs");
    result.message.envelope.set_attribute(queue::attribute::kHelo, "client.test");
    result.message.envelope.flags = queue::kBody8bit;
    for (std::size_t i = 0; i < recipients; ++i)
        result.message.envelope.recipients.push_back(
            {std::string(address_size, 'a') + "@b", "o@b", "", 0, false, 0});
    return result;
}

std::vector<std::uint32_t> all(std::size_t count) {
    std::vector<std::uint32_t> result;
    for (std::uint32_t i = 0; i < count; ++i) result.push_back(i);
    return result;
}

TEST(MakeRequest, SaysWhatTheAgentNeeds) {
    auto request = make_request(message(3), "smtp", "b.test", std::vector<std::uint32_t>{2, 0});
    EXPECT_EQ(request.service, "smtp");
    EXPECT_EQ(request.next_hop, "b.test");
    EXPECT_EQ(request.ret, ipc::DsnReturn::headers);
    EXPECT_EQ(request.helo, "client.test");
    EXPECT_TRUE(request.body_8bit);
    EXPECT_TRUE(!request.has_dot_lines);
    ASSERT_EQ(request.recipients.size(), 2U);
    EXPECT_EQ(request.recipients[0].index, 2U);
    EXPECT_EQ(request.recipients[0].original, "o@b");
}

TEST(MakeRequest, FitsIntoAPacket) {
    auto many = make_request(message(200), "smtp", "b", all(200));
    EXPECT_EQ(many.recipients.size(), ipc::kMaxRecipientsPerMessage);
    auto longer = make_request(message(50, 1000), "smtp", "b", all(50));
    EXPECT_LT(longer.recipients.size(), 50U);
    EXPECT_GT(longer.recipients.size(), 30U);
    EXPECT_TRUE(ipc::encode(longer));
}

ipc::RecipientReport report(std::uint32_t index, ipc::Outcome outcome, const std::string& status,
                            bool down = false) {
    ipc::RecipientReport one;
    one.index = index;
    one.outcome = outcome;
    one.status = status;
    one.text = "text";
    one.site_down = down;
    return one;
}

TEST(Judge, TakesAReportAsItIs) {
    auto request = make_request(message(2), "smtp", "b", all(2));
    ipc::DeliverReport answer;
    answer.recipients = {report(1, ipc::Outcome::reject, "5.1.1"),
                         report(0, ipc::Outcome::accept, "2.0.0")};
    auto result = judge(request, answer);
    EXPECT_EQ(result.outcome, Scheduler::Outcome::answered);
    EXPECT_TRUE(result.silent);
    ASSERT_EQ(result.reports.size(), 2U);
    EXPECT_EQ(result.reports[0].outcome, ipc::Outcome::accept);
    EXPECT_EQ(result.reports[1].outcome, ipc::Outcome::reject);
}

TEST(Judge, WhoIsLeftOutIsDeferred) {
    auto request = make_request(message(3), "smtp", "b", all(3));
    ipc::DeliverReport answer;
    answer.recipients = {report(0, ipc::Outcome::accept, "2.0.0"),
                         report(99, ipc::Outcome::reject, "5.0.0")};
    auto result = judge(request, answer);
    ASSERT_EQ(result.reports.size(), 3U);
    for (std::size_t i : {1, 2}) {
        EXPECT_EQ(result.reports[i].index, i);
        EXPECT_EQ(result.reports[i].outcome, ipc::Outcome::defer);
        EXPECT_EQ(result.reports[i].status, "4.3.0");
    }
}

TEST(Judge, StatusAgreesWithOutcome) {
    auto request = make_request(message(3), "smtp", "b", all(3));
    ipc::DeliverReport answer;
    answer.recipients = {report(0, ipc::Outcome::accept, "5.1.1"),
                         report(1, ipc::Outcome::defer, "5.1.1"),
                         report(2, ipc::Outcome::reject, "")};
    auto result = judge(request, answer);
    EXPECT_EQ(result.reports[0].status, "2.0.0");
    EXPECT_EQ(result.reports[1].status, "4.0.0");
    EXPECT_EQ(result.reports[2].status, "5.0.0");
}

TEST(Judge, ASiteIsDownWhenAllOfItSaysSo) {
    auto request = make_request(message(2), "smtp", "b", all(2));
    ipc::DeliverReport answer;
    answer.recipients = {report(0, ipc::Outcome::defer, "4.4.1", true),
                         report(1, ipc::Outcome::defer, "4.4.1", true)};
    auto result = judge(request, answer);
    EXPECT_EQ(result.outcome, Scheduler::Outcome::site_down);
    EXPECT_EQ(result.reason.status, "4.4.1");
    answer.recipients[1] = report(1, ipc::Outcome::accept, "2.0.0");
    EXPECT_EQ(judge(request, answer).outcome, Scheduler::Outcome::answered);
}

TEST(Judge, NoAnswer) {
    auto request = make_request(message(2), "smtp", "b", all(2));
    struct {
        Errc code;
        Scheduler::Outcome outcome;
    } cases[] = {{Errc::not_found, Scheduler::Outcome::transport_down},
                 {Errc::temporary, Scheduler::Outcome::transport_down},
                 {Errc::closed, Scheduler::Outcome::site_down},
                 {Errc::timeout, Scheduler::Outcome::site_down},
                 {Errc::invalid, Scheduler::Outcome::site_down}};
    for (const auto& c : cases) {
        auto result = judge(request, Error{c.code, "x"});
        EXPECT_EQ(result.outcome, c.outcome);
        EXPECT_FALSE(result.silent);
        ASSERT_EQ(result.reports.size(), 2U);
        for (const auto& one : result.reports) EXPECT_EQ(one.outcome, ipc::Outcome::defer);
    }
}

}  // namespace
}  // namespace postern::qmgr
