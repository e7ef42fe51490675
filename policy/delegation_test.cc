// Policy servers: what they are asked, what their answers do, and what happens when there are none.
#include "policy/delegation.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "lib/log/log.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/fake_clock.h"

#include "policy/engine.h"

namespace postern::policy {
namespace {

// Answers each question on each connection from a list; "" hangs up.
class Server {
  public:
    explicit Server(std::vector<std::string> answers) : answers_(std::move(answers)) {
        char name[] = "/tmp/policy-test-XXXXXX";
        folder_ = ::mkdtemp(name);
        path_ = folder_ + "/s";
        listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, path_.size());
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
                  0);
        EXPECT_EQ(::listen(listener_.get(), 5), 0);
        thread_ = std::thread([this] { run(); });
    }
    ~Server() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
        ::unlink(path_.c_str());
        ::rmdir(folder_.c_str());
    }
    std::string target() const { return "unix:" + path_; }
    std::vector<std::string> questions;  // to be read after finish()
    int connections = 0;

  private:
    void run() {
        std::size_t next = 0;
        while (next < answers_.size()) {
            const Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!peer) return;
            ++connections;
            std::string text;
            char bytes[4096];
            for (ssize_t n = 0;
                 next < answers_.size() && (n = ::read(peer.get(), bytes, sizeof bytes)) > 0;) {
                text.append(bytes, static_cast<std::size_t>(n));
                if (!text.ends_with("\n\n")) continue;
                questions.push_back(std::exchange(text, {}));
                const std::string answer = answers_[next++];
                if (answer.empty()) break;
                EXPECT_GT(::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL), 0);
            }
        }
    }

    std::vector<std::string> answers_;
    std::string folder_, path_;
    Fd listener_;
    std::thread thread_;
};

ipc::PolicyQuestion question() {
    ipc::PolicyQuestion q;
    q.stage = ipc::PolicyStage::rcpt;
    q.client_address = "192.0.2.7";
    q.client_name = "mx.far.test";
    q.reverse_name = "mx.far.test";
    q.protocol = "ESMTPS";
    q.helo = "client\ntest";
    q.sender = "s@far.test";
    q.recipient = "u@here.test";
    q.recipient_count = 3;
    return q;
}

DelegationOptions quick() {
    DelegationOptions options;
    options.timeout = Millis{5000};
    options.retry_delay = Millis{1};
    return options;
}

TEST(Delegation, Request) {
    const std::string text = delegation_request(question(), "ctx");
    EXPECT_TRUE(
        text.starts_with("request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
                         "client_address=192.0.2.7\nclient_name=mx.far.test\n"));
    EXPECT_THAT(text, testing::HasSubstr(
                          "\nhelo_name=client?test\nsender=s@far.test\nrecipient=u@here.test\n"
                          "recipient_count=0\n"));
    EXPECT_THAT(text, testing::HasSubstr("\npolicy_context=ctx\n"));
    EXPECT_EQ(text.find("\n\n"), std::string::npos);
}

TEST(Delegation, Targets) {
    const auto base = quick();
    EXPECT_EQ(DelegationTarget::parse("inet:127.0.0.1:10023", base)->address,
              "inet:127.0.0.1:10023");
    const auto full = DelegationTarget::parse(
        "{ unix:private/spf, timeout=10s, try_limit=5, { default_action = 451 4.3.0 later }, "
        "policy_context=x }",
        base);
    ASSERT_TRUE(full) << full.error().what;
    EXPECT_EQ(full->address, "unix:private/spf");
    EXPECT_EQ(full->options.timeout, Millis{10000});
    EXPECT_EQ(full->options.default_action, "451 4.3.0 later");
    EXPECT_EQ(full->options.context, "x");
    for (const char* bad : {"{}", "{inet:x, timeout=long}", "{inet:x, try_limit=0}",
                            "{inet:x, colour=red}", "{inet:x"})
        EXPECT_FALSE(DelegationTarget::parse(bad, base)) << bad;
}

// smtpd_policy_service_max_idle, _max_ttl, _request_limit: a server that gives one answer to each
// connection is well as soon as connections are not kept longer than that.
TEST(Delegation, ConnectionsWearOut) {
    for (const int what : {0, 1, 2}) {
        support::FakeClock clock;
        Server server({"action=DUNNO\n\n", "action=OK\n\n"});
        Delegation delegation(clock);
        auto options = quick();
        if (what == 0) options.max_idle = Millis{1000};
        if (what == 1) options.max_ttl = Millis{1000};
        if (what == 2) options.request_limit = 1;
        const auto target = *DelegationTarget::parse(server.target(), options);
        EXPECT_EQ(delegation.ask(target, question()), "DUNNO");
        clock.advance(Millis{1001});
        EXPECT_EQ(delegation.ask(target, question()), "OK") << what;
        EXPECT_EQ(server.connections, 2) << what;
    }
}

TEST(Delegation, AnswersAndKeptConnections) {
    Server server(
        {"action=DUNNO\n\n", "other=1\naction= REJECT go away \n\n", "", "action=OK\n\n"});
    Delegation delegation;
    const auto target = *DelegationTarget::parse(server.target(), quick());
    EXPECT_EQ(delegation.ask(target, question()), "DUNNO");
    EXPECT_EQ(delegation.ask(target, question()), "REJECT go away");
    // The kept connection is closed on us: asked again on a new one.
    log::open_capture();
    EXPECT_EQ(delegation.ask(target, question()), "OK");
    EXPECT_EQ(log::take_captured(), "");
}

TEST(Delegation, NonsenseAndSilenceMeanTheDefaultAction) {
    log::open_capture();
    Delegation delegation;
    Server server({"\n", "what\n\n"});
    EXPECT_EQ(delegation.ask(*DelegationTarget::parse(server.target(), quick()), question()),
              "451 4.3.5 Server configuration problem");
    EXPECT_THAT(log::take_captured(),
                testing::HasSubstr("problem talking to server unix:/tmp/policy-test-"));
    EXPECT_EQ(delegation.ask(
                  *DelegationTarget::parse("{unix:/nonexistent, default_action=DUNNO}", quick()),
                  question()),
              "DUNNO");
}

TEST(Delegation, ActionsInALists) {
    Server server({"action=REJECT No\n\n", "action=DEFER_IF_PERMIT Greylisted\n\n",
                   "action=PREPEND Received-SPF: pass\n\n"});
    Options options;
    options.domains.mydestination = "here.test";
    options.local_recipient_maps = "";
    options.reject_unlisted_recipient = false;
    options.delegation = quick();
    options.recipient_restrictions =
        "reject_unauth_destination, check_policy_service " + server.target();
    log::open_capture();
    Engine engine(options, nullptr, nullptr);
    auto answer = engine.answer(question());
    EXPECT_EQ(answer.smtp_code, 554);
    EXPECT_EQ(answer.text, "<u@here.test>: Recipient address rejected: No");
    answer = engine.answer(question());
    EXPECT_EQ(answer.smtp_code, 450);
    EXPECT_THAT(answer.text, testing::HasSubstr("Greylisted"));
    answer = engine.answer(question());
    EXPECT_EQ(answer.outcome, ipc::Outcome::accept);
    ASSERT_EQ(answer.actions.size(), 1U);
    EXPECT_EQ(answer.actions[0].argument, "Received-SPF: pass");
    options.recipient_restrictions =
        "reject_unauth_destination, check_policy_service {inet:x, colour=red}";
    EXPECT_EQ(Engine(options, nullptr, nullptr).answer(question()).smtp_code, 451);
}

// A name space of a few records.
struct FewNames final : Names {
    Lookup<bool> receives_mail(const std::string& domain) override {
        if (domain == "away.test") return Error{Errc::temporary, "no answer"};
        if (domain == "known.test") return true;
        return NotFound{};
    }
    Lookup<std::string> address(const std::string& name) override {
        const auto found = records.find(name);
        if (found == records.end()) return NotFound{};
        return found->second;
    }
    Lookup<std::string> text(const std::string&) override { return std::string("see there"); }
    Lookup<std::string> name_of(const IpAddress&, bool) override { return NotFound{}; }
    Lookup<std::vector<Server>> servers(const std::string&, ServerKind) override {
        return NotFound{};
    }
    Lookup<std::vector<IpAddress>> addresses(const std::string&) override { return NotFound{}; }
    std::map<std::string, std::string> records = {{"7.2.0.192.bl.test", "127.0.0.4"},
                                                  {"far.test.dom.test", "127.0.0.2"},
                                                  {"mx.far.test.dom.test", "127.0.0.2"},
                                                  {"here.test.dom.test", "127.0.0.2"}};
};

TEST(DnsRestrictions, RepliesOfOnesOwn) {
    const auto reply = [](const std::string& maps, const std::string& usual) {
        log::open_capture();
        FewNames names;
        Options options;
        options.domains.mydestination = "here.test";
        options.reject_unlisted_recipient = false;
        options.recipient_restrictions =
            "reject_unauth_destination, reject_rbl_client bl.test=127.0.0.4";
        options.rbl_reply_maps = maps;
        if (!usual.empty()) options.default_rbl_reply = usual;
        const auto answer = Engine(options, nullptr, &names).answer(question());
        return std::to_string(answer.smtp_code) + " " + answer.status + " " + answer.text;
    };
    EXPECT_EQ(reply("inline:{{bl.test=$rbl_code 5.7.9 $rbl_what of $sender is on "
                    "$rbl_domain${rbl_reason?: {$rbl_reason}}}}",
                    ""),
              "554 5.7.9 192.0.2.7 of s@far.test is on bl.test: {see there}");
    EXPECT_EQ(reply("static:{450 whole}", ""), "450 4.7.1 whole");
    EXPECT_EQ(reply("inline:{other.test=x}", "451 $rbl_class later"),
              "451 4.7.1 Client host later");
    EXPECT_EQ(reply("inline:{{bl.test=no code}}", ""), "554 5.7.1 Service unavailable");
    EXPECT_THAT(log::take_captured(),
                testing::HasSubstr("bad reply for DNS list bl.test: no code"));
    EXPECT_TRUE(reply("fail:x", "").starts_with("451 4.3.0 "));
}

TEST(DnsRestrictions, ListsAndNames) {
    struct Case {
        std::string list, helo, answer;
    };
    const std::string blocked = " blocked using dom.test; see there";
    const Case cases[] = {
        {"reject_rbl_client bl.test", "",
         "554 Service unavailable; Client host [192.0.2.7] blocked using bl.test; see there"},
        {"reject_rbl_client bl.test=127.0.0.[2;4..6]", "",
         "554 Service unavailable; Client host [192.0.2.7] blocked using bl.test; see there"},
        {"reject_rbl_client bl.test=127.0.0.[5..9]", "", "ok"},
        {"reject_rbl_client bl.test=127.0.0.2", "", "ok"},
        {"reject_rbl_client bl.test=127.0", "", "451 Server configuration error"},
        {"reject_maps_rbl", "",
         "554 Service unavailable; Client host [192.0.2.7] blocked using bl.test; see there"},
        {"permit_dnswl_client bl.test, reject", "", "ok"},
        {"reject_rhsbl_sender dom.test", "",
         "554 Service unavailable; Sender address [s@far.test]" + blocked},
        {"reject_rhsbl_recipient dom.test", "",
         "554 Service unavailable; Recipient address [u@here.test]" + blocked},
        {"reject_rhsbl_client dom.test", "",
         "554 Service unavailable; Client host [mx.far.test]" + blocked},
        {"reject_rhsbl_reverse_client dom.test", "",
         "554 Service unavailable; Client host [mx.far.test]" + blocked},
        {"reject_rhsbl_helo dom.test", "far.test",
         "554 Service unavailable; Helo command [far.test]" + blocked},
        {"reject_rhsbl_helo dom.test", "[192.0.2.7]", "ok"},
        {"reject_unknown_helo_hostname", "known.test", "ok"},
        {"reject_unknown_helo_hostname", "[192.0.2.7]", "ok"},
        {"reject_unknown_helo_hostname", "lost.test",
         "550 <lost.test>: Helo command rejected: Host not found"},
        {"reject_unknown_helo_hostname", "away.test",
         "450 <away.test>: Helo command rejected: Host not found"},
        {"reject_unknown_sender_domain", "",
         "551 <s@far.test>: Sender address rejected: Domain not found"},
        {"reject_unknown_client_hostname", "",
         "552 Client host rejected: cannot find your hostname, [192.0.2.7]"},
    };
    for (const Case& c : cases) {
        log::open_capture();
        FewNames names;
        Options options;
        options.maps_rbl_domains = {"other.test", "bl.test"};
        options.domains.mydestination = "here.test";
        options.reject_unlisted_recipient = false;
        options.unknown_hostname_reject_code = 550;
        options.unknown_address_reject_code = 551;
        options.unknown_client_reject_code = 552;
        options.recipient_restrictions = "reject_unauth_destination, " + c.list;
        auto q = question();
        q.helo = c.helo;
        const auto answer = Engine(options, nullptr, &names).answer(q);
        const std::string said = answer.outcome == ipc::Outcome::accept
                                     ? "ok"
                                     : std::to_string(answer.smtp_code) + " " + answer.text;
        EXPECT_EQ(said, c.answer) << c.list;
        if (answer.outcome != ipc::Outcome::accept) {
            EXPECT_EQ(answer.rule, "smtpd_recipient_restrictions " + std::string(c.list));
        }
    }
}

}  // namespace
}  // namespace postern::policy
