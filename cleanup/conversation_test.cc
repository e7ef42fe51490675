// Several messages on one connection, and messages that come in one packet.
#include "cleanup/transaction_fixture.h"

namespace postern::cleanup {
namespace {

class KeptConversation : public TransactionTest {
  protected:
    // As submit(), on the connection and through the pipe that are there.
    Result<ipc::SubmitResult> submit_next(const std::string& text) {
        EXPECT_TRUE(peer->send(submission({"b@example.test"}), soon()));
        TRY(hear<ipc::SubmitOpened>());
        write_all(text);
        EXPECT_TRUE(peer->send(ipc::SubmitEnd{text.size()}, soon()));
        return hear<ipc::SubmitResult>();
    }
    Result<ipc::SubmitResult> submit_first(const std::string& text) {
        connect();
        send_open(submission({"b@example.test"}));
        TRY(hear<ipc::SubmitOpened>());
        write_all(text);
        EXPECT_TRUE(peer->send(ipc::SubmitEnd{text.size()}, soon()));
        return hear<ipc::SubmitResult>();
    }
};

TEST_F(KeptConversation, CarriesOneMessageAfterTheOther) {
    const auto first = submit_first(kText);
    ASSERT_TRUE(first) << first.error().what;
    options.message_size_limit = 10'000;
    const auto refused = submit_next("A: b\r\n\r\n" + std::string(300'000, 'x') + "\r\n");
    ASSERT_TRUE(refused) << refused.error().what;
    EXPECT_EQ(refused->outcome, ipc::Outcome::reject);
    const auto third = submit_next("Subject: third\r\n\r\n.\r\n");
    ASSERT_TRUE(third) << third.error().what;
    ASSERT_EQ(third->outcome, ipc::Outcome::accept) << third->text;
    EXPECT_NE(first->queue_id, third->queue_id);
    std::string text;
    stored(third->queue_id, &text);
    EXPECT_TRUE(text.ends_with("Subject: third\r\n\r\n.\r\n")) << text;
    stored(first->queue_id, &text);
    EXPECT_TRUE(text.ends_with(kText)) << text;
}

TEST_F(KeptConversation, EndsWhenThereIsMoreContentThanAnnounced) {
    ASSERT_TRUE(submit_first(kText));
    write_all("surplus");
    for (int i = 0; i < 1000 && conversation; ++i) spin();
    EXPECT_TRUE(ended);
    EXPECT_THAT(log::take_captured(), ::testing::HasSubstr("more content than announced"));
}

TEST_F(KeptConversation, SurplusWithinAMessageIsRefusedAndNothingFollows) {
    connect();
    send_open(submission({"b@example.test"}));
    ASSERT_TRUE(hear<ipc::SubmitOpened>());
    write_all(kText);
    for (int i = 0; i < 10; ++i) spin();
    ASSERT_TRUE(peer->send(ipc::SubmitEnd{5}, soon()));
    const auto result = hear<ipc::SubmitResult>();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, ipc::Outcome::defer);
    ASSERT_TRUE(peer->send(submission({"b@example.test"}), soon()));
    EXPECT_FALSE(hear<ipc::SubmitOpened>());
    EXPECT_TRUE(ended);
}

TEST_F(KeptConversation, EndsBetweenMessagesWhenTheProcessDrains) {
    ASSERT_TRUE(submit_first(kText));
    conversation->drain();
    EXPECT_EQ(hear<ipc::SubmitOpened>().error().code, Errc::closed);
    connect();
    conversation->drain();  // a message may be on its way already: it is taken
    send_open(submission({"b@example.test"}));
    ASSERT_TRUE(hear<ipc::SubmitOpened>());
    write_all(kText);
    send_end(std::string_view(kText).size());
    const auto result = hear<ipc::SubmitResult>();
    ASSERT_TRUE(result) << result.error().what;
    EXPECT_EQ(result->outcome, ipc::Outcome::accept);
    EXPECT_FALSE(hear<ipc::SubmitResult>());
    EXPECT_TRUE(ended);
}

TEST_F(KeptConversation, APipeThatEndsInTheMiddleDefersTheMessage) {
    ASSERT_TRUE(submit_first(kText));
    ASSERT_TRUE(peer->send(submission({"b@example.test"}), soon()));
    ASSERT_TRUE(hear<ipc::SubmitOpened>());
    write_all("Subject: cut");
    send_end(100);
    const auto result = hear<ipc::SubmitResult>();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, ipc::Outcome::defer);
}

class WholeMessage : public KeptConversation {
  protected:
    Result<ipc::SubmitResult> submit_whole(const QueueId& id, const std::string& text) {
        auto open = submission({"b@example.test"});
        open.queue_id = id;
        open.whole = true;
        open.content = text;
        EXPECT_TRUE(peer->send(open, soon()));
        return hear<ipc::SubmitResult>();
    }
    void expect_refused(const ipc::SubmitOpen& open, std::string_view why) {
        EXPECT_TRUE(peer->send(open, soon()));
        EXPECT_FALSE(hear<ipc::SubmitResult>());
        EXPECT_TRUE(ended);
        EXPECT_THAT(log::take_captured(), ::testing::HasSubstr(std::string(why)));
        EXPECT_EQ(plain.list("incoming").value().size(), 1U) << "the first message";
    }
};

TEST_F(WholeMessage, TakesTheOfferedIdAndNeedsNoPipe) {
    const auto first = submit_first(kText);
    ASSERT_TRUE(first) << first.error().what;
    ASSERT_FALSE(first->next.empty());
    const auto second = submit_whole(first->next, "Subject: whole\r\n\r\n");
    ASSERT_TRUE(second) << second.error().what;
    EXPECT_EQ(second->outcome, ipc::Outcome::accept) << second->text;
    EXPECT_EQ(second->queue_id, first->next);
    EXPECT_NE(second->next, first->next);
    std::string text;
    stored(second->queue_id, &text);
    EXPECT_TRUE(text.ends_with("Subject: whole\r\n\r\n")) << text;
    EXPECT_TRUE(submit_next(kText)) << "through the pipe again";
}

TEST_F(WholeMessage, WithoutAnOfferItGetsAnIdOfItsOwn) {
    connect();
    const auto result = submit_whole(QueueId(), kText);
    ASSERT_TRUE(result) << result.error().what;
    EXPECT_EQ(result->outcome, ipc::Outcome::accept);
    std::string text;
    stored(result->queue_id, &text);
    EXPECT_TRUE(text.ends_with(kText)) << text;
}

TEST_F(WholeMessage, AnEnvelopeWithTheOfferedIdIsNotAnswered) {
    const auto first = submit_first(kText);
    auto open = submission({"b@example.test"});
    open.queue_id = first->next;
    ASSERT_TRUE(peer->send(open, soon()));
    write_all(kText);
    ASSERT_TRUE(peer->send(ipc::SubmitEnd{std::string_view(kText).size()}, soon()));
    const auto result = hear<ipc::SubmitResult>();  // and not SubmitOpened
    ASSERT_TRUE(result) << result.error().what;
    EXPECT_EQ(result->queue_id, first->next);
}

TEST_F(WholeMessage, IsRefusedAsAnyOther) {
    options.message_size_limit = 10;
    connect();
    const auto result = submit_whole(QueueId(), kText);
    ASSERT_TRUE(result) << result.error().what;
    EXPECT_EQ(result->status, "5.3.4");
    options.message_size_limit = 0;
    EXPECT_EQ(submit_whole(result->next, kText)->outcome, ipc::Outcome::accept);
}

TEST_F(WholeMessage, StaysUnreadWhereTheProcessDrains) {
    const auto first = submit_first(kText);
    auto open = submission({"b@example.test"});
    open.whole = true;
    ASSERT_TRUE(peer->send(open, soon()));
    conversation->drain();
    EXPECT_EQ(hear<ipc::SubmitResult>().error().sys, ECONNRESET);
    EXPECT_EQ(plain.list("incoming").value().size(), 1U) << "the first message";
}

TEST_F(WholeMessage, AnIdThatWasNotOfferedEndsTheConversation) {
    const auto first = submit_first(kText);
    auto open = submission({"b@example.test"});
    open.whole = true;
    open.queue_id = first->queue_id;  // of a message that is there
    expect_refused(open, "a queue id that was not offered");
}

TEST_F(WholeMessage, AnOfferServesOnce) {
    const auto first = submit_first(kText);
    ASSERT_TRUE(submit_next(kText));
    auto open = submission({"b@example.test"});
    open.queue_id = first->next;
    EXPECT_TRUE(peer->send(open, soon()));
    EXPECT_FALSE(hear<ipc::SubmitOpened>());
    EXPECT_TRUE(ended);
}

TEST_F(WholeMessage, ContentTwiceEndsTheConversation) {
    ASSERT_TRUE(submit_first(kText));
    auto open = submission({"b@example.test"});
    open.content = kText;  // and not whole: the pipe would bring it again
    expect_refused(open, "content of an envelope");
}

TEST_F(WholeMessage, WithMilters) {
    ASSERT_TRUE(submit_first(kText));
    auto open = submission({"b@example.test"});
    open.has_milters = open.whole = true;
    expect_refused(open, "milters have not seen its envelope");
}

}  // namespace
}  // namespace postern::cleanup
