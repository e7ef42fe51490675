// What smtpd is told of clients and lines.
#include "policy/client_rules.h"

#include <fstream>

#include "lib/log/log.h"

#include "policy/worker.h"

namespace postern::policy {
namespace {

class ClientRulesTest : public testing::Test {
  protected:
    ClientRulesTest() { log::open_capture(); }
    void configure(const std::string& text) {
        config_.emplace(*config::Config::parse("mynetworks = 127.0.0.0/8, 10.0.0.0/8\n" + text));
        rules_ = std::make_unique<ClientRules>(*config_);
    }
    ipc::ClientTraits about(const std::string& address, const std::string& name = "") {
        return rules_->about({"smtp", address, name});
    }
    std::optional<config::Config> config_;
    std::unique_ptr<ClientRules> rules_;
};

TEST_F(ClientRulesTest, ListsByAddressAndName) {
    configure(
        "smtpd_authorized_xclient_hosts = 192.0.2.1, !proxy9.test, .test\n"
        "smtpd_authorized_xforward_hosts = inline:{192.0.2.7=x}\n"
        "debug_peer_list = example.test\n"
        "smtpd_forbid_bare_newline_exclusions = $mynetworks, .old.test\n");
    EXPECT_FALSE(about("10.1.2.3").may_verp);
    EXPECT_TRUE(about("10.1.2.3").may_omit_cr);
    EXPECT_TRUE(about("192.0.2.1", "printer.old.test").may_omit_cr);
    EXPECT_FALSE(about("192.0.2.1", "printer.test").may_omit_cr);
    EXPECT_TRUE(about("10.1.2.3").unlimited) << "$mynetworks";
    EXPECT_FALSE(about("192.0.2.1").unlimited);
    EXPECT_TRUE(about("192.0.2.1").may_xclient);
    EXPECT_TRUE(about("192.0.2.2", "proxy1.test").may_xclient);
    EXPECT_FALSE(about("192.0.2.2", "proxy9.test").may_xclient);
    EXPECT_FALSE(about("192.0.2.2").may_xclient);
    EXPECT_TRUE(about("192.0.2.7").may_xforward);
    EXPECT_FALSE(about("192.0.2.8").may_xforward);
    EXPECT_TRUE(about("192.0.2.7", "a.example.test").debug) << "its parents match";
    EXPECT_FALSE(about("192.0.2.7").failed);
}

TEST_F(ClientRulesTest, WhoseHeadersAreRewritten) {
    configure("");
    EXPECT_FALSE(about("10.1.2.3").rewrites_headers) << "interfaces are smtpd's business";
    configure("local_header_rewrite_clients = permit_inet_interfaces, permit_mynetworks\n");
    EXPECT_TRUE(about("10.1.2.3").rewrites_headers);
    EXPECT_FALSE(about("192.0.2.1").rewrites_headers);
    configure("local_header_rewrite_clients = check_address_map inline:{192.0.2=x}\n");
    EXPECT_TRUE(about("192.0.2.1").rewrites_headers);
    EXPECT_FALSE(about("10.1.2.3").rewrites_headers);
    configure("local_header_rewrite_clients = hash:/nonexistent/table\n");
    EXPECT_TRUE(about("10.1.2.3").failed);
}

TEST_F(ClientRulesTest, TablesByAddress) {
    configure("smtpd_discard_ehlo_keyword_address_maps = inline:{{192.0.2.1=starttls, dsn}}\n");
    EXPECT_TRUE(about("192.0.2.1").hides_keywords);
    EXPECT_EQ(about("192.0.2.1").hidden_keywords, "starttls, dsn");
    EXPECT_FALSE(about("192.0.2.2").hides_keywords);
}

TEST_F(ClientRulesTest, SomeAreNotOfferedAuth) {
    configure(
        "smtpd_sasl_exceptions_networks = 192.0.2.0/24\n"
        "smtpd_discard_ehlo_keywords = dsn\n"
        "smtpd_discard_ehlo_keyword_address_maps = inline:{192.0.2.1=vrfy}\n");
    EXPECT_EQ(about("192.0.2.1").hidden_keywords, "AUTH vrfy");
    EXPECT_TRUE(about("192.0.2.2").hides_keywords);
    EXPECT_EQ(about("192.0.2.2").hidden_keywords, "AUTH dsn");
    EXPECT_FALSE(about("10.0.0.1").hides_keywords);
}

TEST_F(ClientRulesTest, ATableThatFailsIsTold) {
    configure("smtpd_discard_ehlo_keyword_address_maps = fail:x\n");
    EXPECT_TRUE(about("192.0.2.1").failed);
    configure("smtpd_authorized_xclient_hosts = fail:x\n");
    const auto traits = about("192.0.2.1");
    EXPECT_TRUE(traits.failed);
    EXPECT_FALSE(traits.may_xclient);
}

TEST_F(ClientRulesTest, LinesAreLookedUpAsTheyAre) {
    configure(
        "smtpd_command_filter = inline:{{HELO me = HELO you}}\n"
        "smtpd_reject_footer_maps = fail:x\n");
    const auto found = rules_->find({ipc::LineMap::command_filter, "smtp", "HELO me"});
    EXPECT_TRUE(found.found);
    EXPECT_EQ(found.value, "HELO you");
    EXPECT_FALSE(rules_->find({ipc::LineMap::command_filter, "smtp", "NOOP"}).found);
    EXPECT_TRUE(rules_->find({ipc::LineMap::reject_footer, "smtp", "550 x"}).failed);
}

TEST_F(ClientRulesTest, EachServiceHasItsOwn) {
    configure("");
    auto master = config::MasterFile::parse(
        "smtp inet n - n - - smtpd\n"
        "10025 inet n - n - - smtpd -o smtpd_authorized_xclient_hosts=127.0.0.1\n"
        "bad inet n - n - - smtpd -o smtpd_delay_reject=perhaps\n");
    PolicyWorker worker(*config_, *master, nullptr, nullptr);
    auto pair = sys::packet_pair();
    ipc::Channel client(std::move(pair->first)), server(std::move(pair->second));
    const auto deadline = Deadline::in(Millis{30'000});
    const auto ask = [&](const std::string& service) {
        EXPECT_TRUE(client.send(ipc::ClientQuestion{service, "127.0.0.1", ""}, deadline));
        EXPECT_EQ(worker.serve(server), service::Worker::Conversation::goes_on);
        return *client.receive<ipc::ClientTraits>(deadline);
    };
    EXPECT_FALSE(ask("smtp").may_xclient);
    EXPECT_TRUE(ask("10025").may_xclient);
    EXPECT_TRUE(ask("bad").failed);
    EXPECT_TRUE(client.send(ipc::MapQuestion{ipc::LineMap::command_filter, "smtp", "x"}, deadline));
    EXPECT_EQ(worker.serve(server), service::Worker::Conversation::goes_on);
    EXPECT_FALSE(client.receive<ipc::MapAnswer>(deadline)->found);
}

}  // namespace
}  // namespace postern::policy
