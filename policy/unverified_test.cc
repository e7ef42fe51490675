// reject_unverified_recipient and reject_unverified_sender against a verifier of the test's own.
#include <map>
#include <string>

#include "lib/base/strings.h"
#include "lib/log/log.h"

#include "policy/engine.h"

namespace postern::policy {
namespace {

using ipc::AddressStatus;

class FakeVerifier final : public AddressVerifier {
  public:
    Result<ipc::VerifyAnswer> ask(const std::string& address) override {
        ++asked;
        if (!works) return Error{Errc::temporary, "nobody there"};
        const auto at = answers.find(address);
        if (at == answers.end()) return ipc::VerifyAnswer{AddressStatus::unknown, "in progress"};
        return at->second;
    }
    void pause(Seconds time) override {
        paused += time;
        if (learns_of.empty()) return;
        answers[learns_of] = {AddressStatus::deliverable, "ok"};
    }

    std::map<std::string, ipc::VerifyAnswer> answers;
    std::string learns_of;  // while it is waited for
    bool works = true;
    int asked = 0;
    Seconds paused{0};
};

class Unverified : public testing::Test {
  protected:
    Unverified() {
        log::open_capture();
        options_.mynetworks = "127.0.0.0/8";
        options_.domains.mydestination = "here.test";
        options_.completion = {"here.test", "here.test", true, false};
        options_.recipient_restrictions = "reject_unverified_recipient";
        options_.relay_restrictions = "defer_unauth_destination";
        verifier_.answers["good@here.test"] = {AddressStatus::deliverable, "250 2.1.5 Ok"};
        verifier_.answers["bad@here.test"] = {AddressStatus::undeliverable, "host said: 550 no"};
        verifier_.answers["slow@here.test"] = {AddressStatus::deferred, "connection refused"};
        verifier_.answers["s@far.test"] = {AddressStatus::undeliverable, "who?"};
    }
    std::string answer(std::string recipient, std::string sender = "s@far.test") {
        ipc::PolicyQuestion q;
        q.client_address = "192.0.2.7";
        q.client_name = q.reverse_name = "unknown";
        q.protocol = "ESMTP";
        q.helo = "client.test";
        q.sender = std::move(sender);
        q.recipient = std::move(recipient);
        q.recipient_count = 1;
        auto said = Engine(options_, nullptr, nullptr, verifier()).answer(q);
        notes_ = std::move(said.notes);
        return cat({std::to_string(said.smtp_code), " ", said.status, " ", said.text});
    }
    AddressVerifier* verifier() { return has_verifier_ ? &verifier_ : nullptr; }

    Options options_;
    FakeVerifier verifier_;
    std::vector<ipc::PolicyNote> notes_;  // of the last answer
    bool has_verifier_ = true;
};

TEST_F(Unverified, Recipients) {
    const std::string rejected = ": Recipient address rejected: ";
    EXPECT_EQ(answer("good@here.test"), "250 2.1.5 Ok");
    EXPECT_EQ(answer("bad@here.test"),
              "450 4.1.1 <bad@here.test>" + rejected + "unverified address: host said: 550 no");
    EXPECT_EQ(answer("slow@here.test"),
              "450 4.1.1 <slow@here.test>" + rejected + "unverified address: connection refused");
    options_.unverified_recipient.reject_code = 550;
    EXPECT_EQ(answer("bad@here.test"),
              "550 5.1.1 <bad@here.test>" + rejected + "undeliverable address: host said: 550 no");
    EXPECT_EQ(verifier_.paused, Seconds{0});
}

TEST_F(Unverified, WhatIsUnderWayIsAskedForAgain) {
    options_.verify_poll_count = 3;
    options_.verify_poll_delay = Seconds{3};
    EXPECT_EQ(
        answer("new@here.test"),
        "450 4.1.1 <new@here.test>: Recipient address rejected: unverified address: in progress");
    EXPECT_EQ(verifier_.asked, 3);
    EXPECT_EQ(verifier_.paused, Seconds{6});
    verifier_.learns_of = "other@here.test";
    EXPECT_EQ(answer("other@here.test"), "250 2.1.5 Ok");
    EXPECT_EQ(verifier_.asked, 5);
}

TEST_F(Unverified, Senders) {
    options_.recipient_restrictions.clear();
    options_.sender_restrictions = "reject_unverified_sender";
    options_.unverified_sender.reject_code = 550;
    EXPECT_EQ(answer("x@here.test"),
              "550 5.1.7 <s@far.test>: Sender address rejected: undeliverable address: who?");
    EXPECT_EQ(answer("x@here.test", ""), "250 2.1.5 Ok") << "the null sender is nobody's";
    options_.unverified_sender.reason = "Sender unknown";
    EXPECT_EQ(
        answer("x@here.test"),
        "550 5.1.7 <s@far.test>: Sender address rejected: undeliverable address: Sender unknown");
}

// defer_if_permit: what comes later and refuses for good wins; defer: at once.
TEST_F(Unverified, ADoubtIsNoRefusalYet) {
    options_.recipient_restrictions = "reject_unverified_recipient, reject";
    EXPECT_EQ(answer("slow@here.test"),
              "554 5.7.1 <slow@here.test>: Recipient address rejected: Access denied");
    options_.unverified_recipient.defer_now = true;
    options_.unverified_recipient.defer_code = 421;
    EXPECT_EQ(answer("slow@here.test"),
              "421 4.1.1 <slow@here.test>: Recipient address rejected: unverified address: "
              "connection refused");
}

TEST_F(Unverified, WithoutAServiceTheClientComesBack) {
    verifier_.works = false;
    EXPECT_EQ(answer("good@here.test"),
              "450 4.1.1 <good@here.test>: Recipient address rejected: unverified address: "
              "address verification problem");
    has_verifier_ = false;
    EXPECT_EQ(answer("good@here.test"), "451 4.3.5 Server configuration error");
}

TEST_F(Unverified, MayOnlyWarn) {
    options_.recipient_restrictions = "warn_if_reject reject_unverified_recipient";
    EXPECT_EQ(answer("slow@here.test"), "250 2.1.5 Ok");
    ASSERT_EQ(notes_.size(), 1u);
    EXPECT_EQ(notes_[0].kind, ipc::PolicyNoteKind::reject_warning);
    EXPECT_TRUE(notes_[0].text.starts_with("450 4.1.1 <slow@here.test>")) << notes_[0].text;
}

}  // namespace
}  // namespace postern::policy
