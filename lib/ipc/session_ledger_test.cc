// What a process tells anvil, and what happens when that goes away.
#include "lib/ipc/session_ledger.h"

#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace postern::ipc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SessionFacts facts_of(int number, SessionState state = SessionState::active) {
    SessionFacts facts;
    const std::string digits = std::to_string(number);
    facts.session = *SessionId::parse(std::string(SessionId::kSize - digits.size(), 'b') + digits);
    facts.state = state;
    facts.user = "u" + digits;
    return facts;
}

class SessionLedgerTest : public testing::Test {
  protected:
    SessionLedgerTest() { log::open_capture(); }
    void listen() { listener_ = sys::listen_unix(folder_ / "anvil", 0700).value(); }
    void until(const std::function<bool()>& done) {
        const auto deadline = Deadline::in(Millis{10'000});
        while (!done() && !deadline.passed()) {
            accept();
            loop_.run_for(Millis{1});
        }
        EXPECT_TRUE(done());
    }
    // Anvil, which answers every question unless it is told not to.
    void accept() {
        Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!socket) return;
        ++connections_;
        anvil_ = std::make_unique<LoopChannel>(
            loop_, std::move(socket),
            LoopChannel::Handler{[this](const Packet& packet) { hear(packet); },
                                 [](const Error&) {}});
    }
    void hear(const Packet& packet) {
        if (const auto report = packet.as<SessionReport>()) {
            for (const auto& facts : report->sessions)
                facts.state == SessionState::over ? known_.erase(facts.user)
                                                  : known_.insert(facts.user).second;
            return;
        }
        const auto question = packet.as<AdmissionQuestion>();
        ASSERT_TRUE(question);
        ++asked_;
        known_.insert(question->facts.user);
        if (answers_) (void)anvil_->send(AdmissionAnswer{question->facts.session}).has_value();
    }
    // On a connection that is no young one any more.
    void know_one_session() {
        listen();
        ledger_.note(facts_of(1));
        until([&] { return known_.contains("u1"); });
        clock_.advance(Millis{60});
    }
    void lose_anvil() {
        anvil_.reset();
        known_.clear();
    }
    SessionLedger::Done count_answers() {
        return [this](const Result<AdmissionAnswer>& answer) { ++(answer ? answered_ : failed_); };
    }

    support::TempFolder folder_;
    support::FakeClock clock_;  // a slow machine's connections last no longer than others'
    loop::Loop loop_{clock_};
    Fd listener_;
    std::unique_ptr<LoopChannel> anvil_;
    int connections_ = 0, asked_ = 0, answered_ = 0, failed_ = 0;
    bool answers_ = true;
    std::set<std::string> known_;
    std::vector<std::string> dismissed_;
    SessionLedger ledger_{loop_, folder_ / "anvil",
                          [this](const std::string& id) { dismissed_.push_back(id); }, Millis{50}};
};

TEST_F(SessionLedgerTest, TellsAsksAndObeys) {
    listen();
    ledger_.note(facts_of(1));
    ledger_.note(facts_of(2));
    ledger_.note(facts_of(2, SessionState::over));
    until([&] { return known_.contains("u1"); });
    EXPECT_THAT(known_, ElementsAre("u1"));
    ledger_.ask(facts_of(3), Seconds{0}, count_answers());
    EXPECT_EQ(answered_, 0) << "never from inside ask()";
    until([&] { return answered_ == 1; });
    ASSERT_TRUE(anvil_->send(DismissSessions{{facts_of(1).session.str()}}));
    until([&] { return !dismissed_.empty(); });
    EXPECT_THAT(dismissed_, ElementsAre(facts_of(1).session.str()));
    ledger_.note(facts_of(1, SessionState::over));
    ledger_.note(facts_of(3, SessionState::over));
    until([&] { return known_.empty(); });
    EXPECT_EQ(ledger_.size(), 0U);
    EXPECT_EQ(connections_, 1);
}

TEST_F(SessionLedgerTest, TellsEverythingAgainAfterAReload) {
    listen();
    for (int i = 0; i < 1000; ++i) ledger_.note(facts_of(i));
    until([&] { return known_.size() == 1000; });
    clock_.advance(Millis{60});  // the connection has lasted
    answers_ = false;
    ledger_.ask(facts_of(1), Seconds{0}, count_answers());
    until([&] { return asked_ == 1; });
    answers_ = true;
    lose_anvil();
    ledger_.note(facts_of(0, SessionState::over));
    until([&] { return answered_ == 1 && known_.size() == 999; });
    EXPECT_EQ(asked_, 2) << "the question was put again";
    EXPECT_EQ(failed_, 0);
    EXPECT_EQ(log::take_captured(), "");
}

TEST_F(SessionLedgerTest, ReloadsMayFollowUponEachOther) {
    know_one_session();
    answers_ = false;
    ledger_.ask(facts_of(2), Seconds{0}, count_answers());
    until([&] { return asked_ == 1; });
    lose_anvil();
    until([&] { return asked_ == 2; });
    answers_ = true;
    lose_anvil();
    until([&] { return answered_ == 1 && known_.contains("u1"); });
    EXPECT_EQ(asked_, 3);
    EXPECT_EQ(failed_, 0);
    EXPECT_EQ(log::take_captured(), "");
}

TEST_F(SessionLedgerTest, AnAnvilThatNeverStaysIsGivenUp) {
    listen();
    answers_ = false;
    ledger_.ask(facts_of(1), Seconds{0}, count_answers());
    for (int times = 1; times <= 3; ++times) {
        until([&] { return asked_ == times; });
        lose_anvil();
    }
    until([&] { return failed_ == 1; });
    EXPECT_EQ(log::take_captured(), "") << "it may still be starting";
}

TEST_F(SessionLedgerTest, ThatNothingIsCountedIsToldInTheEnd) {
    listen();
    clock_.advance(Millis{20'000});
    ledger_.ask(facts_of(1), Seconds{0}, count_answers());
    until([&] { return answered_ == 1; });
    lose_anvil();
    until([&] { return connections_ == 2; });
    EXPECT_THAT(log::take_captured(), HasSubstr("sessions are not counted"));
}

TEST_F(SessionLedgerTest, AQuestionThatMeetsTheEndOfAnvilIsPutAgain) {
    listen();
    for (const bool something_to_tell : {false, true}) {
        ledger_.note(facts_of(1));
        until([&] { return known_.contains("u1"); });
        clock_.advance(Millis{60});
        lose_anvil();  // which the ledger has not seen yet
        if (something_to_tell) ledger_.note(facts_of(2));
        ledger_.ask(facts_of(3), Seconds{0}, count_answers());
        until([&] { return answered_ == (something_to_tell ? 2 : 1); });
        EXPECT_TRUE(known_.contains("u1"));
        EXPECT_EQ(known_.contains("u2"), something_to_tell);
    }
    EXPECT_EQ(asked_, 2);
    EXPECT_EQ(failed_, 0);
    EXPECT_EQ(log::take_captured(), "");
}

// A client's word and the end of anvil's connection come in one turn of the loop, in this order.
TEST_F(SessionLedgerTest, TheEndOfAnOldConnectionIsNotThatOfTheNewOne) {
    know_one_session();
    auto client = sys::stream_pair().value();
    loop::Watch watch(loop_, client.first.get(), [&] {
        watch.want_read(false);
        ledger_.note(facts_of(1, SessionState::over));
        ledger_.ask(facts_of(2), Seconds{0}, count_answers());
    });
    watch.want_read(true);
    ASSERT_EQ(::write(client.second.get(), "x", 1), 1);
    lose_anvil();
    until([&] { return answered_ + failed_ == 1; });
    EXPECT_EQ(failed_, 0);
    EXPECT_EQ(connections_, 2);
    EXPECT_EQ(log::take_captured(), "");
}

// Anvil would have that session for ever.
TEST_F(SessionLedgerTest, AQuestionOfASessionThatIsOverIsNotPutAgain) {
    know_one_session();
    answers_ = false;
    ledger_.ask(facts_of(2), Seconds{0}, count_answers());
    until([&] { return asked_ == 1; });
    lose_anvil();
    ledger_.note(facts_of(2, SessionState::over));
    until([&] { return failed_ == 1 && known_.contains("u1"); });
    EXPECT_EQ(asked_, 1);
    EXPECT_THAT(known_, ElementsAre("u1"));
}

TEST_F(SessionLedgerTest, PatienceEndsWithTheQuestions) {
    SessionLedger ledger(loop_, folder_ / "anvil", [](const std::string&) {}, Millis{50},
                         Millis{200});
    for (int i = 1; i <= 2; ++i) {  // the second finds that anvil is away already
        ledger.ask(facts_of(i), Seconds{0}, count_answers());
        until([&] { return failed_ == i; });
    }
    listen();
    until([&] { return known_.size() == 2; });
    const auto deadline = Deadline::in(Millis{300});
    while (!deadline.passed()) loop_.run_for(Millis{10}), accept();
    EXPECT_EQ(connections_, 1) << "nothing was asked on it";
}

TEST_F(SessionLedgerTest, GoesOnWithoutAnvil) {
    ledger_.note(facts_of(1));
    ledger_.ask(facts_of(2), Seconds{0}, count_answers());
    until([&] { return failed_ == 1; });
    EXPECT_THAT(log::take_captured(), HasSubstr("sessions are not counted"));
    ledger_.note(facts_of(1, SessionState::over));
    listen();
    until([&] { return known_.contains("u2"); });
    EXPECT_THAT(known_, ElementsAre("u2"));
    EXPECT_EQ(log::take_captured(), "") << "told once";
}

TEST_F(SessionLedgerTest, NonsenseEndsTheConnection) {
    listen();
    ledger_.note(facts_of(1));
    until([&] { return known_.contains("u1"); });
    ASSERT_TRUE(anvil_->send(AdmissionAnswer{facts_of(9).session}));
    until([&] { return connections_ == 2; });
    EXPECT_THAT(log::take_captured(), HasSubstr("unexpected message"));
}

}  // namespace
}  // namespace postern::ipc
