#include "commands/queue_listing.h"

#include <cstdlib>

namespace postern::commands {
namespace {

ipc::QueueListEntry sample(const std::string& queue_name, const std::string& id) {
    ipc::QueueListEntry entry;
    entry.queue_name = queue_name;
    entry.queue_id = *QueueId::parse(id);
    entry.arrival = WallTime{Seconds{1795290872}};
    entry.size = 895;
    entry.sender = "sender@client.test";
    entry.recipients = {{"d@down.test", ""}};
    return entry;
}

class QueueListingTest : public testing::Test {
  protected:
    QueueListingTest() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
};

TEST_F(QueueListingTest, Traditional) {
    QueueListing listing(QueueListing::Form::traditional);
    std::string text = listing.entry(sample("active", "4XyBCD2fgh3z5kQ"));
    auto deferred = sample("deferred", "4XyBCD2fgh3z5kR");
    deferred.sender.clear();
    deferred.recipients[0].reason = "connect to 127.0.1.101[127.0.1.101]:2699: Connection refused";
    deferred.recipients.push_back({"e@down.test", deferred.recipients[0].reason});
    text += listing.entry(deferred);
    text += listing.entry(sample("hold", "4XyBCD2fgh3z5kS"));
    text += listing.end({3, 895 * 3});
    EXPECT_EQ(text,
              "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
              "4XyBCD2fgh3z5kQ*       895 Sat Nov 21 19:54:32 sender@client.test\n"
              "                                               d@down.test\n"
              "\n"
              "4XyBCD2fgh3z5kR        895 Sat Nov 21 19:54:32 MAILER-DAEMON\n"
              "                (connect to 127.0.1.101[127.0.1.101]:2699: Connection refused)\n"
              "                                               d@down.test\n"
              "                                               e@down.test\n"
              "\n"
              "4XyBCD2fgh3z5kS!       895 Sat Nov 21 19:54:32 sender@client.test\n"
              "                                               d@down.test\n"
              "\n"
              "-- 2 Kbytes in 3 Requests.\n");
}

TEST_F(QueueListingTest, Empty) {
    EXPECT_EQ(QueueListing(QueueListing::Form::traditional).end({}), "Mail queue is empty\n");
    EXPECT_EQ(QueueListing(QueueListing::Form::json).end({}), "");
}

TEST_F(QueueListingTest, OneRequest) {
    QueueListing listing(QueueListing::Form::traditional);
    (void)listing.entry(sample("incoming", "4XyBCD2fgh3z5kQ"));
    EXPECT_EQ(listing.end({1, 10}), "\n-- 0 Kbytes in 1 Request.\n");
}

TEST_F(QueueListingTest, Json) {
    QueueListing listing(QueueListing::Form::json);
    auto entry = sample("deferred", "4XyBCD2fgh3z5kQ");
    entry.recipients[0].reason = "said: \"no\\way\"\x01";
    EXPECT_EQ(listing.entry(entry),
              "{\"queue_name\": \"deferred\", \"queue_id\": \"4XyBCD2fgh3z5kQ\", \"arrival_time\": "
              "1795290872, "
              "\"message_size\": 895, \"forced_expire\": false, \"sender\": "
              "\"sender@client.test\", \"recipients\": "
              "[{\"address\": \"d@down.test\", \"delay_reason\": \"said: "
              "\\\"no\\\\way\\\"\\u0001\"}]}\n");
}

TEST_F(QueueListingTest, AMessageInSeveralEntries) {
    for (auto form : {QueueListing::Form::traditional, QueueListing::Form::json}) {
        QueueListing whole(form);
        auto entry = sample("deferred", "4XyBCD2fgh3z5kQ");
        entry.recipients = {{"a@b", "r"}, {"c@d", "r"}};
        std::string expected = whole.entry(entry);
        QueueListing parts(form);
        auto first = entry;
        first.recipients.pop_back();
        first.more = true;
        auto second = entry;
        second.recipients.erase(second.recipients.begin());
        std::string text = parts.entry(first);
        text += parts.entry(second);
        EXPECT_EQ(text, expected);
    }
}

}  // namespace
}  // namespace postern::commands
