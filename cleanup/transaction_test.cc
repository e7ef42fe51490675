// Transactions from the submitter's side.
#include "cleanup/transaction_fixture.h"

namespace postern::cleanup {
namespace {

TEST_F(TransactionTest, AcceptsAMessage) {
    const auto result = submit(submission({"b@example.test", "c@example.test"}), kText);
    ASSERT_TRUE(result) << result.error().what;
    EXPECT_EQ(result->outcome, ipc::Outcome::accept);
    EXPECT_EQ(nudged, std::vector<QueueId>{result->queue_id});
    std::string text;
    const queue::Message message = stored(result->queue_id, &text);
    EXPECT_EQ(message.envelope.sender, "a@client.test");
    EXPECT_EQ(message.envelope.recipients.size(), 2U);
    EXPECT_TRUE(message.envelope.has(queue::kHasDotLines));
    EXPECT_EQ(message.envelope.attribute(queue::attribute::kClientAddress), "192.0.2.1");
    EXPECT_TRUE(text.starts_with("Received: from vm (unknown [192.0.2.1])\r\n\tby ")) << text;
    EXPECT_TRUE(text.ends_with(kText)) << text;
    EXPECT_EQ(questions, 0) << "complete addresses, no tables: nothing to ask";
    EXPECT_THAT(log::take_captured(),
                ::testing::HasSubstr(result->queue_id.str() + ": message-id=<>"));
}

TEST_F(TransactionTest, ALargeMessageGoesToItsOwnFileAsItArrives) {
    std::string text = "Subject: large\r\n\r\n";
    while (text.size() < 1'000'000)
        text += "0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
    const auto result = submit(submission({"b@example.test"}), text);
    ASSERT_TRUE(result) << result.error().what;
    ASSERT_EQ(result->outcome, ipc::Outcome::accept) << result->text;
    std::string kept;
    const queue::Message message = stored(result->queue_id, &kept);
    EXPECT_TRUE(kept.ends_with(text));
    EXPECT_NE(kept.find("\tfor <b@example.test>;"), std::string::npos);
    EXPECT_FALSE(message.envelope.has(queue::kHasDotLines));
    EXPECT_LT(tools->memory_in_use, 100U);
}

// smtputf8_autodetect_classes, and what SMTPUTF8 is needed for (RFC 6531 3.6).
TEST_F(TransactionTest, FindsOutWhoNeedsSmtputf8) {
    constexpr std::uint32_t kNone = 0, kAsked = queue::kSmtpUtf8,
                            kHeader = queue::kSmtpUtf8 | queue::kUtf8Header;
    const struct {
        ipc::Origin origin;
        bool asked;
        const char *classes, *sender, *recipient, *subject;
        std::uint32_t flags;
    } cases[] = {
        {ipc::Origin::smtp, false, "sendmail", "a@client.test", "b@x.test", "s", kNone},
        {ipc::Origin::smtp, false, "sendmail", "\xc3\xa4@client.test", "\xc3\xbc@x.test",
         "h\xc3\xbc", kNone},
        {ipc::Origin::smtp, true, "sendmail", "a@client.test", "b@x.test", "s", kAsked},
        {ipc::Origin::smtp, true, "", "a@client.test", "b@x.test", "h\xc3\xbc", kHeader},
        {ipc::Origin::smtp, false, "SMTPD", "a@client.test", "b@x.test", "h\xc3\xbc", kHeader},
        {ipc::Origin::smtp, false, "all", "a@client.test", "b@x.test", "s", kNone},
        {ipc::Origin::local, false, "sendmail", "a@client.test", "b@x.test", "s", kNone},
        {ipc::Origin::local, false, "sendmail", "a@client.test", "b@x.test", "h\xc3\xbc", kHeader},
        {ipc::Origin::local, false, "sendmail", "\xc3\xa4@client.test", "b@x.test", "s", kAsked},
        {ipc::Origin::local, false, "sendmail", "a@client.test", "\xc3\xbc@x.test", "s", kAsked},
        {ipc::Origin::local, false, "sendmail", "a@client.test", "b@x.test", "\xfc", kNone},
        {ipc::Origin::local, false, "smtpd", "\xc3\xa4@client.test", "b@x.test", "s", kNone},
        {ipc::Origin::internal, false, "forward", "a@client.test", "\xc3\xbc@x.test", "s", kAsked},
        {ipc::Origin::internal, false, "bounce", "a@client.test", "\xc3\xbc@x.test", "s", kNone},
        {ipc::Origin::internal, false, "bounce", "", "\xc3\xbc@x.test", "s", kAsked},
        {ipc::Origin::internal, false, "notify", "double-bounce@x.test", "\xc3\xbc@x.test", "s",
         kAsked},
    };
    options.smtputf8 = true;
    for (const auto& c : cases) {
        options.utf8_classes = {c.classes};
        start(plain);
        ipc::SubmitOpen open = submission({c.recipient});
        open.origin = c.origin;
        open.smtputf8 = c.asked;
        open.sender = c.sender;
        const auto result =
            submit(open, cat({"Subject: ", c.subject, "\r\n\r\nb\xc3\xb6", "dy\r\n"}));
        ASSERT_TRUE(result) << result.error().what;
        ASSERT_EQ(result->outcome, ipc::Outcome::accept);
        const auto message = stored(result->queue_id);
        EXPECT_EQ(message.envelope.flags & kHeader, c.flags)
            << c.classes << " " << c.sender << " " << c.recipient << " " << c.subject;
    }
}

TEST_F(TransactionTest, AsksRewriteAboutIncompleteAddresses) {
    ipc::SubmitOpen open = submission({"root", "x@example.test"});
    open.origin = ipc::Origin::local;
    open.sender = "u1";
    const auto result = submit(open, kText);
    ASSERT_TRUE(result && result->outcome == ipc::Outcome::accept);
    EXPECT_EQ(questions, 2);
    const queue::Envelope e = stored(result->queue_id).envelope;
    EXPECT_EQ(e.sender, "u1@origin.test");
    EXPECT_EQ(e.recipients[0].address, "root@origin.test");
    EXPECT_EQ(e.recipients[0].original, "root");
    EXPECT_EQ(e.recipients[1].original, "");
}

TEST_F(TransactionTest, AliasExpansionDropsDuplicates) {
    options.ask_about_recipients = true;
    rewrite_answer = [](const ipc::ExpandRequest&) {
        return ipc::ExpandAnswer{
            ipc::LookupOutcome::ok, "", "", {"one@x.test", "two@x.test", "one@x.test"}};
    };
    const auto result = submit(submission({"list@example.test"}), kText);
    ASSERT_TRUE(result && result->outcome == ipc::Outcome::accept);
    const queue::Envelope e = stored(result->queue_id).envelope;
    ASSERT_EQ(e.recipients.size(), 2U);
    EXPECT_EQ(e.recipients[1].address, "two@x.test");
    EXPECT_EQ(e.recipients[1].original, "list@example.test");
}

// RFC 3461 5.2.7: of several members the sender hears once.
TEST_F(TransactionTest, NotifyThroughAliases) {
    options.ask_about_recipients = true;
    rewrite_answer = [](const ipc::ExpandRequest&) {
        return ipc::ExpandAnswer{ipc::LookupOutcome::ok, "", "", {"one@x.test", "two@x.test"}};
    };
    const std::tuple<int, int, std::size_t> cases[] = {
        // asked, of the members, expanded
        {0, 0, 0}, {1, 1, 0}, {2, 1, 1}, {6, 4, 1}, {8, 8, 0}, {10, 8, 1}};
    for (const auto& [asked, members, expanded] : cases) {
        auto open = submission({"list@example.test"});
        open.recipients[0].notify = static_cast<std::uint8_t>(asked);
        const auto result = submit(open, kText);
        ASSERT_TRUE(result && result->outcome == ipc::Outcome::accept);
        const queue::Envelope e = stored(result->queue_id).envelope;
        for (const auto& r : e.recipients) EXPECT_EQ(r.notify, members) << asked;
        EXPECT_EQ(e.expanded.size(), expanded) << asked;
    }
}

TEST_F(TransactionTest, ASilentOrFailingRewriteMeansTryLater) {
    options.ask_about_recipients = true;
    rewrite_answer = [](const ipc::ExpandRequest&) {
        return ipc::ExpandAnswer{ipc::LookupOutcome::temporary, "4.3.0", "table down", {}};
    };
    const auto result = submit(submission({"list@example.test"}), kText);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, ipc::Outcome::defer);
    EXPECT_TRUE(plain.list("incoming").value().empty());
    rewrite_watch.reset();
    listener.reset();
    const auto gone = submit(submission({"list@example.test"}), kText);
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->outcome, ipc::Outcome::defer);
}

class HeaderTablesTest : public TransactionTest {
  protected:
    HeaderTablesTest() {
        options.completion = {"origin.test", "origin.test"};
        options.rewrite_header_senders = options.rewrite_header_recipients = true;
    }
    ipc::SubmitOpen local_submission() {
        auto open = submission({"b@example.test"});
        open.rewrite_headers = true;
        return open;
    }
    // The stored text without what we put on top.
    std::string kept(const Result<ipc::SubmitResult>& result) {
        EXPECT_TRUE(result && result->outcome == ipc::Outcome::accept);
        if (!result || result->outcome != ipc::Outcome::accept) return "not accepted";
        std::string text;
        (void)stored(result->queue_id, &text);
        return text.substr(std::min(text.find("From:"), text.size()));
    }
    const std::string kMail =
        "From: \"A, b\"\r\n\t<a@x.test>\r\nTo: joe (Joe), b@y.test;\r\nSubject: a@x.test\r\n"
        "Message-Id: <1>\r\nDate: d\r\n\r\nTo: a@x.test\r\n";
};

TEST_F(HeaderTablesTest, ChangeAddressesInHeaders) {
    EXPECT_EQ(kept(submit(local_submission(), kMail)),
              "From: \"A, b\"\r\n\t<sa@x.test>\r\nTo: rjoe@origin.test (Joe), rb@y.test;\r\n"
              "Subject: a@x.test\r\nMessage-Id: <1>\r\nDate: d\r\n\r\nTo: a@x.test\r\n");
    EXPECT_EQ(questions, 1) << "one for all of them";
    options.rewrite_header_senders = false;
    EXPECT_THAT(kept(submit(local_submission(), kMail)),
                testing::AllOf(testing::HasSubstr("<a@x.test>"), testing::HasSubstr("rb@y.test")));
}

TEST_F(HeaderTablesTest, ForLocalClientsUnlessADomainForOthersIsSet) {
    EXPECT_EQ(kept(submit(submission({"b@example.test"}), kMail)), kMail);
    EXPECT_EQ(questions, 0);
    auto unmapped = local_submission();
    unmapped.no_address_mappings = true;
    EXPECT_THAT(kept(submit(unmapped, kMail)), testing::HasSubstr("To: joe@origin.test (Joe), b@"));
    EXPECT_EQ(questions, 0);
    options.remote_completion = table::Completion{"far.invalid", "far.invalid"};
    EXPECT_THAT(kept(submit(submission({"b@example.test"}), kMail)),
                testing::AllOf(testing::HasSubstr("To: rjoe@far.invalid (Joe), rb@y.test;"),
                               testing::Not(testing::HasSubstr("Date: D"))));
}

TEST_F(HeaderTablesTest, ManyAddressesAreAskedInPortions) {
    std::string list = "From: a@x.test\r\nTo: u0@y.test", changed = list;
    for (int i = 1; i < 450; ++i) {
        list += cat({",\r\n u", std::to_string(i), "@y.test"});
        changed += cat({",\r\n ru", std::to_string(i), "@y.test"});
    }
    changed.replace(changed.find("u0"), 2, "ru0");
    changed.replace(changed.find("a@"), 2, "sa@");
    EXPECT_THAT(kept(submit(local_submission(), list + "\r\n\r\nbody\r\n")),
                testing::StartsWith(changed + "\r\n"));
    EXPECT_EQ(questions, 3);
}

// The header waits in memory for the answer, then the file is written as the text arrives.
TEST_F(HeaderTablesTest, LargeMessages) {
    options.memory_per_message = 4000;
    std::string mail = kMail;
    for (int i = 0; i < 20'000; ++i) mail += "0123456789012345678901234567890123456789\r\n";
    const std::string got = kept(submit(local_submission(), mail));
    EXPECT_EQ(got.size(), mail.size() + std::string("srr@origin.test").size());
    EXPECT_THAT(got.substr(0, 200), testing::HasSubstr("<sa@x.test>"));
    EXPECT_EQ(questions, 1);
    mail.insert(0, "X: " + std::string(8000, 'x') + "\r\n");
    EXPECT_EQ(kept(submit(local_submission(), mail)).size(), got.size());
}

TEST_F(HeaderTablesTest, NoAnswerMeansTryLater) {
    for (const std::size_t limit : {std::size_t{1} << 20, std::size_t{100}}) {
        options.memory_per_message = limit;
        header_answer = [](const ipc::HeaderRequest&) {
            return ipc::HeaderAnswer{ipc::LookupOutcome::temporary, "table down", {}, {}};
        };
        const auto failed = submit(local_submission(), kMail + std::string(30'000, 'x') + "\r\n");
        ASSERT_TRUE(failed);
        EXPECT_EQ(failed->outcome, ipc::Outcome::defer);
        header_answer = [](const ipc::HeaderRequest& q) {  // one is missing
            return ipc::HeaderAnswer{ipc::LookupOutcome::ok, "", {}, q.recipients};
        };
        const auto wrong = submit(local_submission(), kMail);
        ASSERT_TRUE(wrong);
        EXPECT_EQ(wrong->outcome, ipc::Outcome::defer);
    }
    EXPECT_TRUE(plain.list("incoming").value().empty());
}

TEST_F(TransactionTest, CommitsOnlyTheWholeContent) {
    connect();
    send_open(submission({"b@example.test"}));
    ASSERT_TRUE(hear<ipc::SubmitOpened>());
    write_all(kText);
    send_end(5);
    const auto result = hear<ipc::SubmitResult>();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, ipc::Outcome::defer);
    EXPECT_TRUE(plain.list("incoming").value().empty());
}

TEST_F(TransactionTest, HangingUpEarlyAborts) {
    connect();
    send_open(submission({"b@example.test"}));
    ASSERT_TRUE(hear<ipc::SubmitOpened>());
    write_all(std::string(600'000, 'x'));  // has a file already
    for (int i = 0; i < 10; ++i) spin();
    EXPECT_EQ(plain.list("incoming").value().size(), 1U);
    peer.reset();
    for (int i = 0; i < 1000 && conversation; ++i) spin();
    EXPECT_TRUE(ended);
    EXPECT_TRUE(plain.list("incoming").value().empty());
}

TEST_F(TransactionTest, RefusalsComeAfterTheContentIsRead) {
    options.message_size_limit = 10'000;
    const auto result =
        submit(submission({"b@example.test"}), "A: b\r\n\r\n" + std::string(300'000, 'x') + "\r\n");
    ASSERT_TRUE(result) << result.error().what;
    EXPECT_EQ(result->outcome, ipc::Outcome::reject);
    EXPECT_EQ(result->status, "5.3.4");
    const auto none = submit(submission({}), kText);
    ASSERT_TRUE(none);
    EXPECT_EQ(none->outcome, ipc::Outcome::reject);
}

// Every system call that changes something fails, for every reason, once or for good (a write after
// half of its bytes): a 4xx, a line in the log, nothing left, and after an acceptance all is there.
class FailingDisk
    : public TransactionTest,
      public ::testing::WithParamInterface<std::tuple<int, support::FaultyFs::After, std::size_t>> {
};

TEST_P(FailingDisk, MeansTryLater) {
    const auto& [why, after, size] = GetParam();
    const std::string text = "A: b\r\n\r\n" + std::string(size, 'x') + "\r\n";
    for (int n = 1;; ++n) {
        ASSERT_LT(n, 40);
        (void)log::take_captured();
        support::FaultyFs faulty(folder.path(), n, why, after);
        start(faulty);
        const auto result = submit(submission({"b@example.test"}), text);
        ASSERT_TRUE(result) << result.error().what;
        const std::string path = "incoming/" + result->queue_id.str();
        if (result->outcome == ipc::Outcome::accept) {
            EXPECT_EQ(stored(result->queue_id).envelope.recipients.size(), 1U);
        } else {
            EXPECT_EQ(result->outcome, ipc::Outcome::defer);
            EXPECT_EQ(result->status, why == EIO ? "4.3.0" : "4.3.1");
            const std::string log = log::take_captured();
            EXPECT_NE(log.find("warning " + result->queue_id.str() + ": queue file write error: "),
                      std::string::npos)
                << log;
            // Where not even the removal works the file stays, and its message is delivered once
            // although it was refused: the lesser evil.
            if (plain.info(path)) {
                EXPECT_EQ(after, support::FaultyFs::After::stays_broken) << n;
            }
        }
        conversation.reset();
        if (!faulty.fired()) break;
        EXPECT_NE(result->outcome, ipc::Outcome::accept) << n;
    }
    start(plain);
}

INSTANTIATE_TEST_SUITE_P(
    EveryCall, FailingDisk,
    ::testing::Combine(::testing::Values(ENOSPC, EIO, EDQUOT, EMFILE),
                       ::testing::Values(support::FaultyFs::After::recovers,
                                         support::FaultyFs::After::stays_broken),
                       ::testing::Values(100U, 600'000U)));

TEST_F(TransactionTest, TooLittleRoomMeansTryLater) {
    options.queue_minfree = std::uint64_t{1} << 60;
    start(plain);
    const auto result = submit(submission({"b@example.test"}), kText);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, ipc::Outcome::defer);
    EXPECT_EQ(result->status, "4.3.1");
    EXPECT_NE(log::take_captured().find("Error: insufficient system storage"), std::string::npos);
}

TEST_F(TransactionTest, NonsenseEndsTheConversation) {
    connect();
    ASSERT_TRUE(peer->send(ipc::SubmitEnd{1}, soon()));
    EXPECT_FALSE(hear<ipc::SubmitResult>());
    EXPECT_TRUE(ended);

    connect();
    ASSERT_TRUE(peer->send(submission({"b@c.d"}), soon())) << "no descriptor";
    EXPECT_FALSE(hear<ipc::SubmitResult>());

    connect();
    send_open(submission({"b@c.d"}));
    ASSERT_TRUE(hear<ipc::SubmitOpened>());
    ASSERT_TRUE(peer->send(submission({"b@c.d"}), soon())) << "in the middle of another";
    EXPECT_FALSE(hear<ipc::SubmitResult>());

    connect();
    const Fd device = plain.open("/dev/null", O_RDONLY, 0).value();
    const int fd = device.get();
    ASSERT_TRUE(peer->send(submission({"b@c.d"}), soon(), "", std::span(&fd, 1)));
    EXPECT_FALSE(hear<ipc::SubmitResult>());
    EXPECT_THAT(log::take_captured(), ::testing::HasSubstr("neither a pipe nor a file"));
}

TEST_F(TransactionTest, NoControlCharactersInAddresses) {
    ipc::SubmitOpen sender = submission({"b@c.d"});
    sender.sender = "a@b\r\nRCPT TO:<x@y>";
    for (const ipc::SubmitOpen& open : {sender, submission({"b@c.d\r\nDATA"})}) {
        connect();
        send_open(open);
        EXPECT_FALSE(hear<ipc::SubmitOpened>());
        EXPECT_TRUE(ended);
    }
}

TEST_F(TransactionTest, ANetworkServiceCannotSubmitAsALocalUser) {
    trust = Trust::network_only;
    connect();
    ipc::SubmitOpen open = submission({"b@c.d"});
    open.origin = ipc::Origin::local;
    send_open(open);
    EXPECT_FALSE(hear<ipc::SubmitOpened>());
    EXPECT_TRUE(ended);
}

TEST_F(TransactionTest, ReadsContentFromAPlainFile) {
    connect();
    pipe_read = plain.open("content", O_RDWR | O_CREAT, 0600).value();
    ASSERT_TRUE(plain.write(pipe_read.get(), kText));
    send_open(submission({"b@example.test"}));
    ASSERT_TRUE(hear<ipc::SubmitOpened>());
    send_end(std::string_view(kText).size());
    const auto result = hear<ipc::SubmitResult>();
    ASSERT_TRUE(result) << result.error().what;
    EXPECT_EQ(result->outcome, ipc::Outcome::accept);
}

struct HeldRule final : content::Rules {
    bool wants(content::Kind kind) const override { return kind == content::Kind::header; }
    Lookup<std::string> find(content::Kind, std::string_view text) override {
        const auto found = rules.find(std::string(text));
        if (found == rules.end()) return NotFound{};
        return found->second;
    }
    std::map<std::string, std::string> rules;
};

class ContentRulesTest : public TransactionTest {
  protected:
    ContentRulesTest() { tools->rules = &rules; }
    // The stored message; or nothing, when it was accepted and is not there.
    std::optional<queue::Message> sent(const ipc::SubmitOpen& open, const std::string& subject) {
        rules.rules["Subject: " + subject] = action;
        const auto result = submit(open, "Subject: " + subject + "\r\n\r\nx\r\n");
        EXPECT_TRUE(result);
        answer = *result;
        text = log::take_captured();
        if (answer.outcome != ipc::Outcome::accept || action.starts_with("DISCARD"))
            return std::nullopt;
        return stored(answer.queue_id);
    }
    HeldRule rules;
    std::string action, text;
    ipc::SubmitResult answer;
};

TEST_F(ContentRulesTest, RejectsWithPostfixsLine) {
    action = "REJECT 5.7.3 go away";
    sent(submission({"r@example.test"}), "spam");
    EXPECT_EQ(answer.outcome, ipc::Outcome::reject);
    EXPECT_EQ(answer.status, "5.7.3");
    EXPECT_EQ(answer.text, "go away");
    EXPECT_THAT(text,
                testing::HasSubstr(
                    "reject: header Subject: spam from unknown[192.0.2.1]; from=<a@client.test> "
                    "to=<r@example.test> proto=ESMTP helo=<vm>: 5.7.3 go away"));
    options.soft_bounce = true;
    sent(submission({"r@example.test"}), "spam");
    EXPECT_EQ(answer.outcome, ipc::Outcome::defer);
    EXPECT_EQ(answer.status, "4.7.3");
}

TEST_F(ContentRulesTest, DiscardsHoldsAndReroutes) {
    action = "DISCARD";
    sent(submission({"r@example.test"}), "one");
    EXPECT_EQ(answer.outcome, ipc::Outcome::accept);
    EXPECT_TRUE(nudged.empty());
    action = "HOLD";
    EXPECT_TRUE(sent(submission({"r@example.test"}), "two")->envelope.has(queue::kHold));
    action = "FILTER smtp:[127.0.0.1]:10026";
    auto open = submission({"r@example.test"});
    open.content_filter = "scan:here";
    EXPECT_EQ(sent(open, "three")->envelope.attribute(queue::attribute::kContentFilter),
              "smtp:[127.0.0.1]:10026");
    action = "DUNNO";
    EXPECT_EQ(sent(open, "four")->envelope.attribute(queue::attribute::kContentFilter),
              "scan:here");
    action = "REDIRECT spam@example.test";
    const auto redirected = sent(submission({"r@example.test", "s@example.test"}), "five");
    ASSERT_EQ(redirected->envelope.recipients.size(), 1u);
    EXPECT_EQ(redirected->envelope.recipients[0].address, "spam@example.test");
}

TEST_F(ContentRulesTest, Copies) {
    options.always_bcc = "all@example.test";
    options.ask_about_recipients = true;
    rewrite_answer = [](const ipc::ExpandRequest& q) {
        ipc::ExpandAnswer a;
        a.outcome = ipc::LookupOutcome::ok;
        a.addresses = {q.address};
        a.bcc = {"copy-of-" + q.address};
        return a;
    };
    action = "BCC rule@example.test";
    const auto addresses = [](const queue::Message& m) {
        std::vector<std::string> list;
        for (const auto& r : m.envelope.recipients) list.push_back(r.address);
        return list;
    };
    auto open = submission({"r@example.test"});
    const auto message = sent(open, "one");
    EXPECT_THAT(addresses(*message),
                testing::UnorderedElementsAre("r@example.test", "rule@example.test",
                                              "all@example.test", "copy-of-r@example.test"));
    EXPECT_EQ(message->envelope.recipients[1].notify, ipc::kNotifyNever);
    action = "DUNNO";
    open.no_address_mappings = true;
    EXPECT_THAT(addresses(*sent(open, "two")), testing::ElementsAre("r@example.test"));
}

TEST_F(ContentRulesTest, WhoseMailIsLookedAt) {
    action = "REJECT";
    auto open = submission({"r@example.test"});
    open.no_header_body_checks = true;
    EXPECT_TRUE(sent(open, "one"));
    open = submission({"r@example.test"});
    open.origin = ipc::Origin::internal;
    EXPECT_TRUE(sent(open, "two"));
    open.sender = "";
    options.check_bounces = true;
    EXPECT_FALSE(sent(open, "three"));
    open.sender = "double-bounce@example.test";
    EXPECT_TRUE(sent(open, "four"));
    options.check_notices = true;
    EXPECT_FALSE(sent(open, "five"));
}

}  // namespace
}  // namespace postern::cleanup
