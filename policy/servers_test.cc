// Restrictions about the servers of names, and about clients' certificates.
#include "lib/log/log.h"
#include "tests/support/fake_dns.h"

#include "policy/dns_names.h"

namespace postern::policy {
namespace {

constexpr const char* kServersZone =
    "spam.test MX 10 mx.spam.test\n"
    "mx.spam.test A 192.0.2.66\n"
    "spam.test NS ns.spam.test\n"
    "ns.spam.test A 192.0.2.67\n"
    "spam.test A 192.0.2.65\n"
    "deep.spam.test A 192.0.2.70\n"
    "good.test MX 10 mx.good.test\n"
    "mx.good.test A 198.51.100.1\n"
    "nomx.test A 192.0.2.66\n"
    "null.test NULLMX\n"
    "down.test FAIL\n"
    "lost.test MX 10 down.test\n"
    "backup.test MX 10 primary.test\n"
    "backup.test MX 20 here.test\n"
    "primary.test A 203.0.113.1\n"
    "here.test A 192.0.2.200\n"
    "elsewhere.test MX 10 mx.good.test\n";

Options with(std::string list) {
    Options o;
    o.domains.mydestination = "mine.test";
    o.domains.local_addresses = {*IpAddress::parse("192.0.2.200")};
    o.relay_restrictions = "permit_mynetworks, defer_unauth_destination";
    o.mynetworks = "192.0.2.7";
    o.reject_unlisted_recipient = false;
    o.recipient_restrictions = std::move(list);
    return o;
}

ipc::PolicyQuestion about(std::string sender, std::string recipient = "u@mine.test") {
    ipc::PolicyQuestion q;
    q.client_address = "192.0.2.7";
    q.client_name = "client.test";
    q.reverse_name = "reverse.test";
    q.helo = "helo.test";
    q.protocol = "ESMTP";
    q.sender = std::move(sender);
    q.recipient = std::move(recipient);
    return q;
}

std::string answer(const Options& options, const ipc::PolicyQuestion& question) {
    log::open_capture();
    DnsNames names([]() -> Result<std::unique_ptr<dns::BlockingResolver>> {
        return std::unique_ptr<dns::BlockingResolver>(
            std::make_unique<tests::FakeDns>(kServersZone));
    });
    const auto a = Engine(options, nullptr, &names).answer(question);
    if (a.outcome == ipc::Outcome::accept) return "ok";
    return cat({std::to_string(a.smtp_code), " ", a.status, " ", a.text});
}

TEST(ServerAccess, LooksAtTheServersOfASender) {
    struct Case {
        const char* list;
        const char* sender;
        const char* said;
    };
    const Case cases[] = {
        {"check_sender_mx_access inline:{{mx.spam.test=REJECT by name}}", "a@spam.test",
         "554 5.7.1 <a@spam.test>: Sender address rejected: by name"},
        {"check_sender_mx_access inline:{{spam.test=REJECT by parent}}", "a@spam.test",
         "554 5.7.1 <a@spam.test>: Sender address rejected: by parent"},
        {"check_sender_mx_access cidr:{{192.0.2.66 REJECT by address}}", "a@spam.test",
         "554 5.7.1 <a@spam.test>: Sender address rejected: by address"},
        {"check_sender_mx_access cidr:{{192.0.2.66 REJECT}}", "a@good.test", "ok"},
        // RFC 5321 5.1: without MX the host itself.
        {"check_sender_mx_access cidr:{{192.0.2.66 REJECT self}}", "a@nomx.test",
         "554 5.7.1 <a@nomx.test>: Sender address rejected: self"},
        {"check_sender_mx_access cidr:{{192.0.2.66 REJECT literal}}", "a@[192.0.2.66]",
         "554 5.7.1 <a@[192.0.2.66]>: Sender address rejected: literal"},
        {"check_sender_mx_access static:REJECT", "a@null.test", "ok"},
        {"check_sender_mx_access static:REJECT", "", "ok"},
        {"check_sender_ns_access inline:{{ns.spam.test=REJECT ns}}", "a@spam.test",
         "554 5.7.1 <a@spam.test>: Sender address rejected: ns"},
        // The name servers of a name are those of the zone that it is in.
        {"check_sender_ns_access cidr:{{192.0.2.67 REJECT ns}}", "a@deep.spam.test",
         "554 5.7.1 <a@deep.spam.test>: Sender address rejected: ns"},
        {"check_sender_a_access cidr:{{192.0.2.65 REJECT a}}", "a@spam.test",
         "554 5.7.1 <a@spam.test>: Sender address rejected: a"},
        {"check_sender_a_access cidr:{{192.0.2.66 REJECT a}}", "a@spam.test", "ok"},
        {"check_sender_mx_access fail:x", "a@spam.test",
         "451 4.3.5 <a@spam.test>: Sender address rejected: Server configuration error"},
        {"check_sender_mx_access", "a@spam.test", "451 4.3.5 Server configuration error"},
    };
    for (const Case& c : cases)
        EXPECT_EQ(answer(with(c.list), about(c.sender)), c.said) << c.list << " " << c.sender;
}

TEST(ServerAccess, OfOthers) {
    auto q = about("a@good.test", "u@mine.test");
    q.client_name = q.reverse_name = q.helo = "spam.test";
    for (const auto& [word, subject] :
         {std::pair{"client", "<spam.test[192.0.2.7]>: Client host"},
          std::pair{"reverse_client_hostname", "<spam.test[192.0.2.7]>: Client host"},
          std::pair{"helo", "<spam.test>: Helo command"}}) {
        EXPECT_EQ(answer(with(cat({"check_", word, "_mx_access inline:{mx.spam.test=REJECT}"})), q),
                  cat({"554 5.7.1 ", subject, " rejected: Access denied"}))
            << word;
    }
    q.client_name = q.reverse_name = "unknown";
    EXPECT_EQ(answer(with("check_client_mx_access static:REJECT"), q), "ok");
    EXPECT_EQ(answer(with("check_recipient_mx_access inline:{mx.spam.test=REJECT}"),
                     about("a@good.test", "u@spam.test")),
              "554 5.7.1 <u@spam.test>: Recipient address rejected: Access denied");
}

TEST(ServerAccess, NobodyIsLetInAndNoAnswerIsNoReason) {
    EXPECT_EQ(answer(with("check_sender_mx_access static:OK, reject"), about("a@spam.test")),
              "554 5.7.1 <u@mine.test>: Recipient address rejected: Access denied");
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("not allowed for security reasons"));
    for (const char* sender : {"a@down.test", "a@lost.test"}) {
        EXPECT_EQ(answer(with("check_sender_mx_access cidr:{{0.0.0.0/0 REJECT}}"), about(sender)),
                  "ok");
        EXPECT_THAT(log::take_captured(), testing::HasSubstr("unable to look up down.test"));
    }
}

TEST(PermitMxBackup, OnlyWhereWeAreABackup) {
    auto o = with("permit_mx_backup, reject");
    o.relay_restrictions = "permit_mx_backup, reject_unauth_destination";
    EXPECT_EQ(answer(o, about("s@good.test", "u@backup.test")), "ok");
    EXPECT_EQ(answer(o, about("s@good.test", "u@mine.test")), "ok");
    const std::string denied = ": Relay access denied";
    EXPECT_EQ(answer(o, about("s@good.test", "u@elsewhere.test")),
              "554 5.7.1 <u@elsewhere.test>" + denied);
    EXPECT_EQ(answer(o, about("s@good.test", "u%x@backup.test")),
              "554 5.7.1 <u%x@backup.test>" + denied);
    o.mx_backup_networks = "203.0.113.0/24";
    EXPECT_EQ(answer(o, about("s@good.test", "u@backup.test")), "ok");
    o.mx_backup_networks = "198.51.100.0/24";
    EXPECT_EQ(answer(o, about("s@good.test", "u@backup.test")),
              "554 5.7.1 <u@backup.test>" + denied);
    o = with("");
    o.relay_restrictions = "permit_mx_backup, permit_mynetworks, reject_unauth_destination";
    EXPECT_EQ(answer(o, about("s@good.test", "u@down.test")),
              "450 4.4.4 <u@down.test>: Recipient address rejected: Unable to look up mail "
              "exchanger information");
}

TEST(TempfailAction, ADoubtOrARefusal) {
    auto o = with("reject_unknown_sender_domain, permit");
    const std::string not_found =
        "450 4.1.8 <a@down.test>: Sender address rejected: Domain not found";
    EXPECT_EQ(answer(o, about("a@down.test")), not_found);
    o.recipient_restrictions = "reject_unknown_sender_domain, reject";  // outweighs the doubt
    EXPECT_THAT(answer(o, about("a@down.test")), testing::StartsWith("554 5.7.1 "));
    o.unknown_address_defers_now = true;
    EXPECT_EQ(answer(o, about("a@down.test")), not_found);
}

TEST(Relocated, IsSaidInTheRefusal) {
    auto o = with("");
    o.reject_unlisted_recipient = true;
    o.relocated_maps = "inline:{{old@mine.test=new@far.test}}";
    EXPECT_EQ(answer(o, about("a@good.test", "old@mine.test")),
              "550 5.1.6 <old@mine.test>: Recipient address rejected: User has moved to "
              "new@far.test");
    EXPECT_EQ(answer(o, about("a@good.test", "u@mine.test")), "ok");
    o.relocated_maps = "fail:x";
    EXPECT_THAT(answer(o, about("a@good.test", "u@mine.test")), testing::StartsWith("451 4.3.0 "));
}

TEST(ClientCertificates, RelayByFingerprintOrByAuthority) {
    auto o = with("");
    o.mynetworks = "127.0.0.1";
    o.relay_restrictions = "permit_tls_clientcerts, reject_unauth_destination";
    o.relay_clientcerts = "inline:{AA:BB=bob, EE:FF=ann}";
    const std::string denied = "554 5.7.1 <u@far.test>: Relay access denied";
    auto q = about("a@good.test", "u@far.test");
    EXPECT_EQ(answer(o, q), denied);
    q.certificate_fingerprint = "AA:BB";
    q.key_fingerprint = "11:22";
    EXPECT_EQ(answer(o, q), "ok");
    q.certificate_fingerprint = "CC:DD";
    q.certificate_trusted = true;
    EXPECT_EQ(answer(o, q), denied);
    q.key_fingerprint = "EE:FF";
    EXPECT_EQ(answer(o, q), "ok");
    o.relay_clientcerts = "fail:x";
    EXPECT_THAT(answer(o, q), testing::StartsWith("451 4.3.0 "));
    o.relay_restrictions = "permit_tls_all_clientcerts, reject_unauth_destination";
    EXPECT_EQ(answer(o, q), "ok");
    q.certificate_trusted = false;
    EXPECT_EQ(answer(o, q), denied);
}

TEST(ClientCertificates, CheckCcertAccess) {
    auto o = with("check_ccert_access inline:{{AA:BB=REJECT stolen}}");
    auto q = about("a@good.test");
    EXPECT_EQ(answer(o, q), "ok");
    q.certificate_fingerprint = "AA:BB";
    q.key_fingerprint = "11:22";
    EXPECT_EQ(answer(o, q), "554 5.7.1 <client.test[192.0.2.7]>: Client host rejected: stolen");
    q.certificate_fingerprint = "11:22";
    q.key_fingerprint = "AA:BB";
    EXPECT_EQ(answer(o, q), "554 5.7.1 <client.test[192.0.2.7]>: Client host rejected: stolen");
}

TEST(ReverseClientAccess, LooksUpTheUnverifiedName) {
    auto q = about("a@good.test");
    const auto o = with("check_reverse_client_hostname_access inline:{{reverse.test=REJECT no}}");
    EXPECT_EQ(answer(o, q), "554 5.7.1 <client.test[192.0.2.7]>: Client host rejected: no");
    q.reverse_name = "unknown";
    EXPECT_EQ(answer(o, q), "ok");
}

}  // namespace
}  // namespace postern::policy
