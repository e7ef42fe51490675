// Which rule decided: PolicyAnswer::rule, by which mailtrace explains.
#include <string>

#include "lib/base/strings.h"
#include "lib/log/log.h"

#include "policy/engine.h"

namespace postern::policy {
namespace {

Options small_site() {
    Options o;
    o.mynetworks = "127.0.0.0/8";
    o.domains.mydestination = "here.test";
    o.completion = {"here.test", "here.test", true, false};
    o.local_recipient_maps = "inline:{u1=x}";
    return o;
}

std::string rule(const Options& options, std::string client = "192.0.2.7",
                 std::string recipient = "u1@here.test", std::string sender = "s@far.test",
                 Names* names = nullptr) {
    log::open_capture();
    ipc::PolicyQuestion q;
    q.client_address = std::move(client);
    q.client_name = q.reverse_name = "unknown";
    q.protocol = "ESMTP";
    q.helo = "client.test";
    q.sender = std::move(sender);
    q.recipient = std::move(recipient);
    q.recipient_count = 1;
    const auto answer = Engine(options, nullptr, names).answer(q);
    return cat({answer.outcome == ipc::Outcome::accept ? "+" : "-", answer.rule});
}

TEST(Rule, OfTheBuiltInLists) {
    const auto o = small_site();
    EXPECT_EQ(rule(o, "127.0.0.1", "x@far.test"), "+smtpd_relay_restrictions permit_mynetworks");
    EXPECT_EQ(rule(o, "192.0.2.7", "x@far.test"),
              "-smtpd_relay_restrictions defer_unauth_destination");
    EXPECT_EQ(rule(o, "192.0.2.7", "no@here.test"), "-smtpd_reject_unlisted_recipient");
    EXPECT_EQ(rule(o), "+") << "nobody had anything against it";
}

TEST(Rule, OfEachList) {
    const struct {
        std::string Options::*list;
        std::string text, expected;
    } cases[] = {
        {&Options::client_restrictions, "reject", "-smtpd_client_restrictions reject"},
        {&Options::helo_restrictions, "permit_mynetworks, reject",
         "-smtpd_helo_restrictions reject"},
        {&Options::sender_restrictions, "defer", "-smtpd_sender_restrictions defer"},
        {&Options::relay_restrictions, "reject", "-smtpd_relay_restrictions reject"},
        {&Options::recipient_restrictions, "reject_unlisted_recipient, reject",
         "-smtpd_recipient_restrictions reject"},
        {&Options::recipient_restrictions, "no_such_thing",
         "-smtpd_recipient_restrictions no_such_thing"},
        // What lets a client pass is not what lets it send.
        {&Options::client_restrictions, "permit", "+"},
        {&Options::recipient_restrictions, "permit", "+smtpd_recipient_restrictions permit"},
        // Warnings decide nothing.
        {&Options::recipient_restrictions, "warn_if_reject reject", "+"},
    };
    for (const auto& c : cases) {
        auto o = small_site();
        o.*c.list = c.text;
        EXPECT_EQ(rule(o), c.expected) << c.text;
    }
}

TEST(Rule, OfTablesNamesTableAndKey) {
    auto o = small_site();
    o.client_restrictions = "check_client_access inline:{192.0.2=REJECT}";
    EXPECT_EQ(rule(o),
              "-smtpd_client_restrictions check_client_access inline:{192.0.2=REJECT} "
              "(inline:{192.0.2=REJECT}, key 192.0.2)");
    o = small_site();
    o.sender_restrictions =
        "check_sender_access inline:{other.test=REJECT}, "
        "check_sender_access inline:{far.test=DEFER}";
    EXPECT_EQ(rule(o),
              "-smtpd_sender_restrictions check_sender_access inline:{far.test=DEFER} "
              "(inline:{far.test=DEFER}, key far.test)");
}

TEST(Rule, OfAClassIsThePathToIt) {
    auto o = small_site();
    o.classes["strict"] = "permit_mynetworks, reject_unauth_destination, reject";
    o.recipient_restrictions = "check_recipient_access inline:{u1@here.test=strict}";
    EXPECT_EQ(rule(o).substr(0, 50), "-smtpd_recipient_restrictions check_recipient_acce");
    EXPECT_TRUE(rule(o).find(" > strict > reject") != std::string::npos) << rule(o);
    o.recipient_restrictions = "strict";
    EXPECT_EQ(rule(o), "-smtpd_recipient_restrictions strict > reject");
}

TEST(Rule, OfADoubtIsWhoRaisedIt) {
    auto o = small_site();
    o.client_restrictions = "defer_if_permit";
    EXPECT_EQ(rule(o), "-smtpd_client_restrictions defer_if_permit");
    o.client_restrictions = "defer_if_reject";
    o.recipient_restrictions = "reject";
    EXPECT_EQ(rule(o), "-smtpd_client_restrictions defer_if_reject");
}

}  // namespace
}  // namespace postern::policy
