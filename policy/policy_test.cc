#include "policy/engine.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::policy {
namespace {

Options base() {
    Options o;
    o.mynetworks = "127.0.0.0/8 [::1]/128";
    o.domains.mydestination = "here.test, localhost";
    o.domains.virtual_alias_domains = "va.test";
    o.domains.virtual_mailbox_domains = "vm.test";
    o.domains.relay_domains = "relay.test";
    o.completion = {"here.test", "here.test", true, false};
    o.recipient_delimiter = "+";
    o.local_recipient_maps = "inline:{u1=x, u2=x}";
    o.virtual_alias_maps = "inline:{info@va.test=u1, @catch.test=u1}";
    o.virtual_mailbox_maps = "inline:{v1@vm.test=vm/v1/}";
    return o;
}

ipc::PolicyQuestion from(std::string client, std::string sender, std::string recipient) {
    ipc::PolicyQuestion q;
    q.client_address = std::move(client);
    q.client_name = q.reverse_name = "unknown";
    q.protocol = "ESMTP";
    q.helo = "client.test";
    q.sender = std::move(sender);
    q.recipient = std::move(recipient);
    q.recipient_count = 1;
    return q;
}

std::string shown(const ipc::PolicyAnswer& a) {
    if (a.outcome == ipc::Outcome::accept) return "ok";
    EXPECT_EQ(a.outcome == ipc::Outcome::defer, a.smtp_code < 500);
    return std::to_string(a.smtp_code) + " " + a.status + " " + a.text;
}

std::string ask(const Options& options, const ipc::PolicyQuestion& q) {
    log::open_capture();
    return shown(Engine(options, nullptr, nullptr).answer(q));
}

// What smtpd is to log, in the order of the lists: "permit action=OK for ...".
std::vector<std::string> told(const Options& options, const ipc::PolicyQuestion& q) {
    constexpr const char* kKinds[] = {"permit", "reject_warning", "warn", "info"};
    log::open_capture();
    std::vector<std::string> lines;
    for (const auto& note : Engine(options, nullptr, nullptr).answer(q).notes)
        lines.push_back(cat({kKinds[static_cast<std::size_t>(note.kind)], " ", note.text}));
    return lines;
}

std::string stranger(const Options& options, std::string recipient,
                     std::string sender = "s@far.test") {
    return ask(options, from("192.0.2.7", std::move(sender), std::move(recipient)));
}

TEST(Policy, IsNoOpenRelayByDefault) {
    const auto o = base();
    EXPECT_EQ(stranger(o, "u1@here.test"), "ok");
    EXPECT_EQ(stranger(o, "x@relay.test"), "ok");
    EXPECT_EQ(stranger(o, "a@b.test"), "454 4.7.1 <a@b.test>: Relay access denied");
    EXPECT_EQ(stranger(o, "a%b.test@relay.test"),
              "454 4.7.1 <a%b.test@relay.test>: Relay access denied");
    EXPECT_EQ(stranger(o, "\"a@b.test\"@relay.test"),
              "454 4.7.1 <\"a@b.test\"@relay.test>: Relay access denied");
    auto quoting = o;
    quoting.routing_in_quotes = false;
    EXPECT_EQ(stranger(quoting, "\"a@b.test\"@relay.test"), "ok");
    EXPECT_EQ(stranger(quoting, "\"a\\\"b\"%b.test@relay.test"),
              "454 4.7.1 <\"a\\\"b\"%b.test@relay.test>: Relay access denied");
    EXPECT_EQ(ask(o, from("127.0.0.1", "s@far.test", "a@b.test")), "ok");
    EXPECT_EQ(ask(o, from("::ffff:127.0.0.1", "s@far.test", "a@b.test")), "ok");
    EXPECT_EQ(ask(o, from("::1", "s@far.test", "a@b.test")), "ok");
    auto q = from("192.0.2.7", "s@far.test", "a@b.test");
    q.sasl_username = "u1";
    EXPECT_EQ(ask(o, q), "ok");
}

TEST(Policy, RefusesToWorkWithoutAnythingThatStopsRelaying) {
    for (const auto* relay :
         {"", "permit_mynetworks", "permit, reject_unauth_destination",
          "warn_if_reject, reject_unauth_destination", "reject_unlisted_recipient",
          "warn_if_reject, reject_unauth_destination, permit, reject"}) {
        auto o = base();
        o.relay_restrictions = relay;
        EXPECT_EQ(stranger(o, "u1@here.test"), "451 4.3.5 Server configuration error") << relay;
    }
    auto o = base();
    o.relay_restrictions = "";
    o.recipient_restrictions = "permit_mynetworks, reject_unauth_destination";
    EXPECT_EQ(stranger(o, "a@b.test"), "554 5.7.1 <a@b.test>: Relay access denied");
    EXPECT_EQ(stranger(o, "u1@here.test"), "ok");
}

TEST(Policy, RestrictionClassesMayStopRelayingToo) {
    auto o = base();
    o.classes = {{"guard", "permit_mynetworks, reject_unauth_destination"}, {"open", "permit"}};
    o.relay_restrictions = "guard";
    EXPECT_EQ(stranger(o, "a@b.test"), "554 5.7.1 <a@b.test>: Relay access denied");
    EXPECT_EQ(stranger(o, "u1@here.test"), "ok");
    o.relay_restrictions = "open, reject_unauth_destination";
    EXPECT_EQ(stranger(o, "u1@here.test"), "451 4.3.5 Server configuration error");
}

TEST(Policy, PermitNakedIpAddress) {
    auto o = base();
    o.helo_restrictions = "permit_naked_ip_address, reject";
    auto q = from("192.0.2.7", "s@far.test", "u1@here.test");
    const std::pair<const char*, const char*> cases[] = {
        {"192.0.2.1", "ok"},
        {"192.0.2.1111", "501 5.5.2 <192.0.2.1111>: Helo command rejected: invalid ip address"},
        {"a.test", "554 5.7.1 <a.test>: Helo command rejected: Access denied"},
    };
    for (const auto& [helo, answer] : cases) {
        q.helo = helo;
        EXPECT_EQ(ask(o, q), answer);
        EXPECT_THAT(log::take_captured(),
                    testing::HasSubstr("\"permit_naked_ip_address\" is obsolete"));
    }
}

TEST(Policy, RefusesUnknownRecipients) {
    auto o = base();
    const std::string tail = ": Recipient address rejected: User unknown in ";
    EXPECT_EQ(stranger(o, "no@here.test"),
              "550 5.1.1 <no@here.test>" + tail + "local recipient table");
    EXPECT_EQ(stranger(o, "no@va.test"), "550 5.1.1 <no@va.test>" + tail + "virtual alias table");
    EXPECT_EQ(stranger(o, "no@vm.test"), "550 5.1.1 <no@vm.test>" + tail + "virtual mailbox table");
    EXPECT_EQ(stranger(o, "info@va.test"), "ok");
    EXPECT_EQ(stranger(o, "V1+x@vm.test"), "ok");
    EXPECT_EQ(stranger(o, "U1+box@here.test"), "ok");
    EXPECT_EQ(stranger(o, "postmaster"), "ok");
    EXPECT_EQ(stranger(o, "postmaster@localhost"), "ok");
    EXPECT_EQ(stranger(o, "anything@relay.test"), "ok");
    // The sender of our probes is no user, and takes mail.
    EXPECT_EQ(stranger(o, "probe@here.test"),
              "550 5.1.1 <probe@here.test>" + tail + "local recipient table");
    o.verify_sender = {"probe", "here.test", Seconds{0}};
    EXPECT_EQ(stranger(o, "Probe@here.test"), "ok");
    o.relay_recipient_maps = "inline:{a@relay.test=x}";
    EXPECT_EQ(stranger(o, "b@relay.test"),
              "550 5.1.1 <b@relay.test>" + tail + "relay recipient table");
    EXPECT_EQ(ask(o, from("127.0.0.1", "", "no@here.test")),
              "550 5.1.1 <no@here.test>" + tail + "local recipient table");
    o.show_user_unknown_table_name = false;
    EXPECT_EQ(stranger(o, "no@here.test"),
              "550 5.1.1 <no@here.test>: Recipient address rejected: User unknown");
    o.reject_unlisted_recipient = false;
    EXPECT_EQ(stranger(o, "no@here.test"), "ok");
    o.local_recipient_maps = "";
    o.reject_unlisted_recipient = true;
    EXPECT_EQ(stranger(o, "no@here.test"), "ok");
}

class SomeUsers final : public UserDirectory {
  public:
    Lookup<bool> known(std::string_view user) override {
        if (user == "down") return Error{Errc::temporary, "no auth"};
        if (user == "mailuser") return true;
        return NotFound{};
    }
};

TEST(Policy, AsksTheUserDirectoryToo) {
    SomeUsers users;
    log::open_capture();
    Engine engine(base(), &users, nullptr);
    const auto rcpt = [&](std::string to) {
        return shown(engine.answer(from("192.0.2.7", "", std::move(to))));
    };
    EXPECT_EQ(rcpt("MailUser+x@here.test"), "ok");
    EXPECT_EQ(rcpt("down@here.test"), "451 4.3.0 <down@here.test>: Temporary lookup failure");
    EXPECT_EQ(rcpt("no@here.test").substr(0, 9), "550 5.1.1");
}

TEST(Policy, DefersWhenATableCannotTell) {
    auto o = base();
    o.local_recipient_maps = "hash:/nonexistent/users";
    EXPECT_EQ(stranger(o, "u1@here.test"), "451 4.3.0 <u1@here.test>: Temporary lookup failure");
    EXPECT_EQ(log::take_captured().find("warning"), 0u);
    o = base();
    o.mynetworks = "/nonexistent/networks";
    EXPECT_EQ(stranger(o, "u1@here.test"), "451 4.3.0 <u1@here.test>: Temporary lookup failure");
    o = base();
    o.domains.relay_domains = "hash:/nonexistent/relay";
    EXPECT_EQ(stranger(o, "a@b.test"), "451 4.3.0 <a@b.test>: Temporary lookup failure");
    o = base();
    o.sender_restrictions = "check_sender_access hash:/nonexistent/access";
    EXPECT_EQ(stranger(o, "u1@here.test"),
              "451 4.3.5 <s@far.test>: Sender address rejected: Server configuration error");
}

TEST(Policy, NeverIgnoresAnUnknownRestriction) {
    for (const auto* list : {"no_such_thing", "permit_mynetworks no_such", "check_sender_access",
                             "check_sender_access reject", "check_ccert_access", "sleep x",
                             "reject_rbl_client x.test"}) {
        auto o = base();
        o.recipient_restrictions = list;
        EXPECT_EQ(stranger(o, "u1@here.test"), "451 4.3.5 Server configuration error") << list;
        EXPECT_NE(log::take_captured().find("warning"), std::string::npos);
    }
    auto o = base();
    o.recipient_restrictions = "permit, no_such_thing";
    EXPECT_EQ(stranger(o, "u1@here.test"), "ok");
}

TEST(Policy, RunsTheListsInPostfixsOrder) {
    auto o = base();
    o.client_restrictions = "reject";
    EXPECT_EQ(stranger(o, "u1@here.test"),
              "554 5.7.1 <unknown[192.0.2.7]>: Client host rejected: Access denied");
    auto q = from("192.0.2.7", "", "");
    q.stage = ipc::PolicyStage::connect;
    EXPECT_EQ(ask(o, q), "ok");
    o.delay_reject = false;
    EXPECT_EQ(ask(o, q), "554 5.7.1 <unknown[192.0.2.7]>: Client host rejected: Access denied");
    EXPECT_EQ(stranger(o, "u1@here.test"), "ok");

    o = base();
    o.client_restrictions = "permit";  // ends its own list only
    o.helo_restrictions = "permit_mynetworks, defer";
    EXPECT_EQ(stranger(o, "u1@here.test"),
              "450 4.3.2 <client.test>: Helo command rejected: Try again later");
    o.helo_restrictions = "";
    o.sender_restrictions = "reject";
    EXPECT_EQ(stranger(o, "u1@here.test"),
              "554 5.7.1 <s@far.test>: Sender address rejected: Access denied");
    o.sender_restrictions = "";
    o.recipient_restrictions = "reject";
    EXPECT_EQ(stranger(o, "u1@here.test"),
              "554 5.7.1 <u1@here.test>: Recipient address rejected: Access denied");
    EXPECT_EQ(stranger(o, "a@b.test"), "454 4.7.1 <a@b.test>: Relay access denied");
    o.relay_before_recipient = false;
    EXPECT_EQ(stranger(o, "a@b.test"),
              "554 5.7.1 <a@b.test>: Recipient address rejected: Access denied");

    o = base();
    o.data_restrictions = "reject_multi_recipient_bounce";
    q = from("192.0.2.7", "", "");
    q.stage = ipc::PolicyStage::data;
    EXPECT_EQ(ask(o, q), "ok");
    q.recipient_count = 2;
    EXPECT_EQ(ask(o, q), "550 5.5.3 <DATA>: Data command rejected: Multi-recipient bounce");
}

TEST(Policy, ChecksNames) {
    auto o = base();
    o.relay_restrictions =
        "reject_non_fqdn_sender, reject_non_fqdn_recipient, reject_non_fqdn_helo_hostname, "
        "reject_unauth_destination";
    EXPECT_EQ(stranger(o, "u1@here.test", "s"),
              "504 5.5.2 <s>: Sender address rejected: need fully-qualified address");
    EXPECT_EQ(stranger(o, "u1@localhost"),
              "504 5.5.2 <u1@localhost>: Recipient address rejected: need fully-qualified address");
    EXPECT_EQ(stranger(o, "postmaster", ""), "ok");
    auto q = from("192.0.2.7", "", "u1@here.test");
    q.helo = "pc";
    EXPECT_EQ(ask(o, q), "504 5.5.2 <pc>: Helo command rejected: need fully-qualified hostname");
    q.helo = "[192.0.2.7]";
    EXPECT_EQ(ask(o, q), "ok");
    for (const auto* bad : {"a..b", "-x.test", "12.34", "under score"}) {
        q.helo = bad;
        EXPECT_EQ(ask(o, q), "501 5.5.2 <" + q.helo + ">: Helo command rejected: Invalid name");
    }
    o.relay_restrictions = "reject_plaintext_session, reject_unauth_destination";
    EXPECT_EQ(stranger(o, "u1@here.test"), "450 4.7.1 Session encryption is required");
}

TEST(Access, LooksUpWhatTheListIsAbout) {
    auto o = base();
    o.client_restrictions = "inline:{{192.0.2=REJECT}}";
    EXPECT_EQ(stranger(o, "u1@here.test"),
              "554 5.7.1 <unknown[192.0.2.7]>: Client host rejected: Access denied");
    o.client_restrictions = "check_client_access inline:{{bad.test=REJECT go away}}";
    auto q = from("192.0.2.7", "s@far.test", "u1@here.test");
    q.client_name = "x.bad.test";
    EXPECT_EQ(ask(o, q), "554 5.7.1 <x.bad.test[192.0.2.7]>: Client host rejected: go away");
    o = base();
    o.sender_restrictions =
        "check_sender_access inline:{{<>=550 no bounces}, {far.test=451 4.7.9 later}, {s@=DEFER}, "
        "{ok@far.test=OK}}";
    EXPECT_EQ(stranger(o, "u1@here.test", ""), "550 5.7.1 <>: Sender address rejected: no bounces");
    EXPECT_EQ(stranger(o, "u1@here.test", "t@sub.far.test"),
              "451 4.7.9 <t@sub.far.test>: Sender address rejected: later");
    EXPECT_EQ(stranger(o, "u1@here.test", "s+x@other.test"),
              "450 4.7.1 <s+x@other.test>: Sender address rejected: Access denied");
    EXPECT_EQ(stranger(o, "u1@here.test", "ok@far.test"), "ok");
    o = base();
    o.helo_restrictions = "check_helo_access inline:{{client.test=521 5.9.9 bye}}";
    Engine engine(o, nullptr, nullptr);
    const auto answer = engine.answer(from("192.0.2.7", "", "u1@here.test"));
    EXPECT_EQ(shown(answer), "521 5.9.9 <client.test>: Helo command rejected: bye");
    EXPECT_TRUE(answer.disconnect);
}

TEST(Access, UnderstandsEveryResult) {
    const auto with = [](std::string result) {
        auto o = base();
        o.recipient_restrictions =
            "check_recipient_access inline:{{u1@here.test=" + result + "}}, reject";
        o.classes["strict"] = "check_sender_access inline:{{far.test=REJECT strict}}";
        o.classes["loop"] = "loop";
        return stranger(o, "u1@here.test");
    };
    const std::string denied = "554 5.7.1 <u1@here.test>: Recipient address rejected: ";
    EXPECT_EQ(with("OK"), "ok");
    EXPECT_EQ(with("12345"), "ok");
    EXPECT_EQ(with("DUNNO"), denied + "Access denied");
    EXPECT_EQ(with("reject"), denied + "Access denied");
    EXPECT_EQ(with("REJECT 5.2.1 mailbox closed"),
              "554 5.2.1 <u1@here.test>: Recipient address rejected: mailbox closed");
    EXPECT_EQ(with("WARN look"), denied + "Access denied");
    EXPECT_EQ(with("HOLD"), denied + "Access denied") << "the list goes on";
    EXPECT_EQ(with("DISCARD"), "ok") << "the list ends";
    EXPECT_EQ(with("REDIRECT nobody"), denied + "Access denied") << "a mistake in the table";
    EXPECT_EQ(with("strict"), "554 5.7.1 <s@far.test>: Sender address rejected: strict");
    EXPECT_EQ(with("permit_mynetworks, permit"), "ok");
    EXPECT_EQ(with("loop"), "451 4.3.5 Server configuration error");
    EXPECT_EQ(with("nonsense"), "451 4.3.5 Server configuration error");
}

TEST(Access, WhatIsToBecomeOfAMessage) {
    const struct {
        std::string result, argument, why;
    } cases[] = {
        {"HOLD", "", "<u1@here.test>: Recipient address triggers HOLD action"},
        {"hold for Ann", "for Ann", "<u1@here.test>: Recipient address for Ann"},
        {"DISCARD", "", "<u1@here.test>: Recipient address triggers DISCARD action"},
        {"FILTER scan:x", "scan:x", "<u1@here.test>: Recipient address triggers FILTER scan:x"},
        {"REDIRECT a@b.test", "a@b.test",
         "<u1@here.test>: Recipient address triggers REDIRECT a@b.test"},
        {"BCC a@b.test", "a@b.test", "<u1@here.test>: Recipient address triggers BCC a@b.test"},
        {"PREPEND X-A: b c", "X-A: b c", ""},
    };
    const auto asked = [](const std::string& result, ipc::PolicyStage stage) {
        auto o = base();
        o.recipient_restrictions = o.end_of_data_restrictions =
            "check_recipient_access inline:{{u1@here.test=" + result + "}}, permit";
        Engine engine(o, nullptr, nullptr);
        auto q = from("192.0.2.7", "s@far.test", "u1@here.test");
        q.stage = stage;
        return engine.answer(q);
    };
    for (const auto& c : cases) {
        const auto answer = asked(c.result, ipc::PolicyStage::rcpt);
        EXPECT_EQ(answer.outcome, ipc::Outcome::accept) << c.result;
        ASSERT_EQ(answer.actions.size(), 1U) << c.result;
        EXPECT_EQ(answer.actions[0].argument, c.argument);
        EXPECT_EQ(answer.actions[0].why, c.why);
    }
    log::open_capture();
    for (const auto* bad : {"FILTER scan", "BCC a", "REDIRECT a b@c", "PREPEND x", "PREPEND"})
        EXPECT_TRUE(asked(bad, ipc::PolicyStage::rcpt).actions.empty()) << bad;
    EXPECT_TRUE(asked("PREPEND X: y", ipc::PolicyStage::end_of_data).actions.empty());
    const auto logged = log::take_captured();
    EXPECT_THAT(logged, testing::HasSubstr("entry \"BCC a\" requires user@domain target"));
    EXPECT_THAT(logged, testing::HasSubstr("PREPEND needs a list that is asked before the text"));
}

TEST(Policy, DefersIfPermittedAndWarnsInsteadOfRejecting) {
    auto o = base();
    o.recipient_restrictions =
        "check_recipient_access inline:{{u1@here.test=DEFER_IF_PERMIT later}}";
    EXPECT_EQ(stranger(o, "u1@here.test"),
              "450 4.7.1 <u1@here.test>: Recipient address rejected: later");
    o.recipient_restrictions += ", reject";
    EXPECT_EQ(stranger(o, "u1@here.test").substr(0, 3), "554");
    o.recipient_restrictions = "defer_if_reject, reject";
    EXPECT_EQ(stranger(o, "u1@here.test").substr(0, 3), "450");
    o = base();
    o.recipient_restrictions = "warn_if_reject reject_non_fqdn_sender, warn_if_reject reject";
    EXPECT_EQ(stranger(o, "u1@here.test"), "ok");
    EXPECT_EQ(told(o, from("192.0.2.7", "s@far.test", "u1@here.test")),
              (std::vector<std::string>{"reject_warning 554 5.7.1 <u1@here.test>: Recipient "
                                        "address rejected: Access denied"}));
}

// The words of Postfix 3.7.11 for the same lists.
TEST(Policy, TellsPermitsWhereToldTo) {
    auto o = base();
    o.told_permits = "static:all";
    o.client_restrictions =
        "check_client_access inline:{127.0.0.1=WARN}, "
        "check_client_access inline:{{127.0.0.1=INFO some words}}";
    o.helo_restrictions = "warn_if_reject permit";
    o.sender_restrictions =
        "check_sender_access inline:{a@b.test=permit_auth_destination}, "
        "check_sender_access inline:{a@b.test=123}";
    o.relay_restrictions = "permit_mynetworks, reject";
    o.recipient_restrictions = "check_recipient_access static:discard";
    const auto q = from("127.0.0.1", "a@b.test", "me@far.test");
    EXPECT_EQ(told(o, q),
              (std::vector<std::string>{
                  "warn ", "info some words", "permit action=permit for Helo command=client.test ",
                  "permit action=123 for Sender address=a@b.test from inline:{a@b.test=123}",
                  "permit action=permit_mynetworks for Client host=unknown[127.0.0.1] ",
                  "permit action=discard for Recipient address=me@far.test from static:discard"}));
    o.told_permits = "!discard, PERMIT_MYNETWORKS, discard";
    EXPECT_EQ(told(o, q).size(), 3u);
    o.told_permits = "fail:x";
    EXPECT_EQ(told(o, q).size(), 2u);
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("smtpd_log_access_permit_actions: "));
    auto data = q;
    data.stage = ipc::PolicyStage::data;
    o.told_permits = "permit";
    o.data_restrictions = "permit";
    EXPECT_EQ(told(o, data),
              std::vector<std::string>{"permit action=permit for Data command=DATA "});
}

// A mistake in the tables must not make an answer that is too large to be sent.
TEST(Policy, LinesToBeToldAreBounded) {
    auto o = base();
    o.recipient_restrictions.clear();
    for (int i = 0; i < 100; ++i)
        o.recipient_restrictions += "check_recipient_access inline:{{u1@here.test=WARN look}}, ";
    EXPECT_EQ(told(o, from("127.0.0.1", "a@b.test", "u1@here.test")).size(), ipc::kMaxPolicyNotes);
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("too many lines for one answer"));
}

TEST(Policy, KnowsWhoOwnsASenderAddress) {
    auto o = base();
    o.sender_login_maps = "inline:{{boss@here.test=u1, boss}}";
    o.sender_restrictions = "reject_sender_login_mismatch";
    EXPECT_EQ(stranger(o, "u1@here.test", "boss@here.test"),
              "553 5.7.1 <boss@here.test>: Sender address rejected: not logged in");
    EXPECT_EQ(stranger(o, "u1@here.test", "other@here.test"), "ok");
    auto q = from("192.0.2.7", "boss@here.test", "u1@here.test");
    q.sasl_username = "Boss";
    EXPECT_EQ(ask(o, q), "ok");
    q.sasl_username = "u2";
    EXPECT_EQ(ask(o, q),
              "553 5.7.1 <boss@here.test>: Sender address rejected: not owned by user u2");
    q.sender = "free@here.test";
    EXPECT_EQ(ask(o, q),
              "553 5.7.1 <free@here.test>: Sender address rejected: not owned by user u2");
    o.sender_restrictions = "reject_known_sender_login_mismatch";
    EXPECT_EQ(ask(o, q), "ok");
}

class SomeNames final : public Names {
  public:
    Lookup<bool> receives_mail(const std::string& domain) override {
        if (domain == "far.test") return true;
        return NotFound{};
    }
    Lookup<std::string> address(const std::string& name) override {
        if (name == "7.2.0.192.list.test") return std::string("127.0.0.2");
        if (name == "7.2.0.192.down.test") return Error{Errc::timeout, "slow"};
        return NotFound{};
    }
    Lookup<std::string> text(const std::string&) override { return std::string("see there"); }
    Lookup<std::string> name_of(const IpAddress&, bool verified) override {
        if (verified) return NotFound{};
        return std::string("host.test");
    }
    Lookup<std::vector<Server>> servers(const std::string&, ServerKind) override {
        return NotFound{};
    }
    Lookup<std::vector<IpAddress>> addresses(const std::string&) override { return NotFound{}; }
};

TEST(Policy, AsksTheDns) {
    SomeNames names;
    const auto with = [&](std::string list, std::string sender) {
        auto o = base();
        o.sender_restrictions = std::move(list);
        log::open_capture();
        return shown(Engine(o, nullptr, &names)
                         .answer(from("192.0.2.7", std::move(sender), "u1@here.test")));
    };
    EXPECT_EQ(with("reject_unknown_sender_domain", "s@far.test"), "ok");
    EXPECT_EQ(with("reject_unknown_sender_domain", "s@here.test"), "ok");
    EXPECT_EQ(with("reject_unknown_sender_domain", ""), "ok");
    EXPECT_EQ(with("reject_unknown_sender_domain", "s@none.test"),
              "450 4.1.8 <s@none.test>: Sender address rejected: Domain not found");
    EXPECT_EQ(with("reject_rbl_client list.test", "s@far.test"),
              "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using list.test; see "
              "there");
    EXPECT_EQ(with("reject_rbl_client list.test=127.0.0.9", "s@far.test"), "ok");
    EXPECT_EQ(with("reject_rbl_client down.test", "s@far.test"), "ok");
    EXPECT_EQ(with("reject_unknown_client_hostname", "s@far.test"),
              "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.7]");
    EXPECT_EQ(with("reject_unknown_reverse_client_hostname", "s@far.test"), "ok");
}

TEST(Policy, EtrnHasItsOwnRestrictionsAndThoseThatWaited) {
    auto o = base();
    auto q = from("192.0.2.7", "", "site.test");
    q.stage = ipc::PolicyStage::etrn;
    EXPECT_EQ(ask(o, q), "ok");
    o.etrn_restrictions =
        "check_etrn_access inline:{site.test=DUNNO, bad.test=REJECT}, permit_mynetworks, reject";
    EXPECT_EQ(ask(o, q), "554 5.7.1 <site.test>: Etrn command rejected: Access denied");
    q.client_address = "127.0.0.1";
    EXPECT_EQ(ask(o, q), "ok");
    for (const char* site : {"bad.test", "sub.bad.test"}) {
        q.recipient = site;
        EXPECT_EQ(ask(o, q),
                  std::string("554 5.7.1 <") + site + ">: Etrn command rejected: Access denied");
    }
    q.recipient = "site.test";
    o.client_restrictions = "check_client_access inline:{{127.0.0.1=REJECT not you}}";
    EXPECT_EQ(ask(o, q), "554 5.7.1 <unknown[127.0.0.1]>: Client host rejected: not you");
    o.delay_reject = false;  // then that was asked at connect
    EXPECT_EQ(ask(o, q), "ok");
    o.delay_reject = true;
    o.client_restrictions.clear();
    o.helo_restrictions = "check_helo_access inline:{{client.test=REJECT no}}";
    EXPECT_EQ(ask(o, q), "554 5.7.1 <client.test>: Helo command rejected: no");
    q.helo.clear();
    EXPECT_EQ(ask(o, q), "ok");
}

class FullMailboxes final : public UserDirectory {
  public:
    Lookup<bool> known(std::string_view) override { return true; }
    ipc::QuotaAnswer room(const std::string& agent, const std::string& recipient,
                          std::uint64_t size) override {
        asked.push_back(cat({agent, " ", recipient, " ", std::to_string(size)}));
        return answer;
    }
    std::vector<std::string> asked;
    ipc::QuotaAnswer answer{ipc::Outcome::reject, "Quota exceeded"};
};

TEST(Policy, FullMailboxesAreRefusedAtRcpt) {
    Options o = base();
    o.quota_at_recipient = true;
    o.local_agent = "local";
    o.virtual_agent = "virtual";
    FullMailboxes users;
    const auto say = [&](const std::string& recipient, ipc::PolicyStage stage) {
        auto question = from("192.0.2.7", "s@far.test", recipient);
        question.stage = stage;
        question.size = 77;
        log::open_capture();
        return shown(Engine(o, &users, nullptr).answer(question));
    };
    const auto rcpt = ipc::PolicyStage::rcpt;
    EXPECT_EQ(say("u1@here.test", rcpt),
              "552 5.2.2 <u1@here.test>: Recipient address rejected: Quota exceeded");
    EXPECT_EQ(say("v1@vm.test", rcpt),
              "552 5.2.2 <v1@vm.test>: Recipient address rejected: Quota exceeded");
    EXPECT_THAT(users.asked,
                testing::ElementsAre("local u1@here.test 77", "virtual v1@vm.test 77"));
    users.asked.clear();
    // Others' mail, addresses that become others, and what is refused for another reason.
    EXPECT_EQ(say("x@relay.test", rcpt), "ok");
    EXPECT_EQ(say("info@va.test", rcpt), "ok");
    EXPECT_THAT(say("a@b.test", rcpt), testing::HasSubstr("Relay access denied"));
    EXPECT_EQ(say("u1@here.test", ipc::PolicyStage::vrfy), "ok");
    o.virtual_agent.clear();  // virtual_transport is another program
    EXPECT_EQ(say("v1@vm.test", rcpt), "ok");
    EXPECT_TRUE(users.asked.empty());
    users.answer.outcome = ipc::Outcome::defer;
    EXPECT_EQ(say("u1@here.test", rcpt),
              "452 4.2.2 <u1@here.test>: Recipient address rejected: Quota exceeded");
    users.answer = {};
    EXPECT_EQ(say("u1@here.test", rcpt), "ok");
    o.quota_at_recipient = false;
    users.asked.clear();
    EXPECT_EQ(say("u1@here.test", rcpt), "ok");
    EXPECT_TRUE(users.asked.empty());
}

}  // namespace
}  // namespace postern::policy
