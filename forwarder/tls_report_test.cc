// What a collector of TLS results (RFC 8460) is told, and of which deliveries.
#include "forwarder/tls_report.h"

#include <sys/un.h>

#include "tests/support/temp_folder.h"

#include "forwarder/delivery_fixture.h"

namespace postern::forwarder {
namespace {

constexpr const char* kRecord = "v=TLSRPTv1;rua=mailto:t@far.test";

dns::Record text_record(std::string text) {
    dns::Record record;
    record.data = std::move(text);
    return record;
}

TEST(TlsReport, TheRecordThatCounts) {
    const auto of = [](std::vector<std::string> texts) {
        std::vector<dns::Record> records;
        for (auto& text : texts) records.push_back(text_record(std::move(text)));
        return report_record(records);
    };
    EXPECT_EQ(of({kRecord}), kRecord);
    EXPECT_EQ(of({"v=spf1 -all", kRecord}), kRecord);
    EXPECT_EQ(of({"v=TLSRPTv1 ; rua=x"}), "v=TLSRPTv1 ; rua=x");
    EXPECT_EQ(of({kRecord, kRecord}), "") << "two are none";
    EXPECT_EQ(of({"v=TLSRPTv11;rua=x", "V=TLSRPTv1;rua=x", ""}), "");
    EXPECT_EQ(of({}), "");
}

TEST(TlsReport, Texts) {
    TlsAttempt attempt;
    attempt.domain = "far.test";
    EXPECT_EQ(report_text(attempt, kRecord),
              R"({"d":"far.test","pr":"v=TLSRPTv1;rua=mailto:t@far.test","policies":[)"
              R"({"policy-type":9,"policy-domain":"far.test","t":0,"f":0}]})");
    attempt.tlsa_base = "mx.far.test";
    attempt.tlsa = {std::string("\3\1\1\xab\xcd", 5), "\2"};
    attempt.failure = TlsFailure::validation_failure;
    attempt.server = "mx.far.test";
    attempt.server_address = "192.0.2.1";
    attempt.own_address = "192.0.2.9";
    attempt.why = "it said \"no\\\"\n\xff";
    EXPECT_EQ(
        report_text(attempt, "v=TLSRPTv1;"),
        R"({"d":"far.test","pr":"v=TLSRPTv1;","policies":[)"
        R"({"policy-type":1,"policy-domain":"mx.far.test","policy-string":["3 1 1 abcd","2 "],)"
        R"("failure-details":[{"c":205,"s":"192.0.2.9","n":"mx.far.test","r":"192.0.2.1",)"
        R"("f":"it said \"no\\\"??"}],"t":1,"f":1}]})");
}

class TlsReportTest : public DeliveryTest {
  protected:
    TlsReportTest() {
        collector_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const auto at = sys::SocketAddress::unix_path(path_).value();
        EXPECT_EQ(::bind(collector_.get(), at.native(), at.native_size()), 0);
        dns_.zone = tests::FakeDns(
            "far.test A 127.0.0.1\nquiet.test A 127.0.0.1\n"
            "_smtp._tls.far.test TXT v=TLSRPTv1;rua=mailto:t@far.test\n");
        reports_.emplace(dns_, path_, "smtp_tlsrpt_socket_name", Millis{1000});
        tls_reports_ = &*reports_;
        options_.tls_report_socket = path_;
        options_.tls.level = smtp::TlsLevel::may;
        set_content("x\r\n");
    }
    // What the collector has got of a delivery; empty: nothing.
    std::string told(FakeServer& server, const std::string& domain, bool tls_optional = false) {
        pool_.reset();
        auto mail = request(cat({domain, ":", std::to_string(server.port())}), {"a@y.test"});
        mail.tls_optional = tls_optional;
        deliver(mail);
        char text[4096];
        ssize_t size = -1;
        const auto got = [&] {
            return (size = ::recv(collector_.get(), text, sizeof text, 0)) > 0;
        };
        // The question about the record is one turn of the loop away.
        for (int i = 0; i < 20 && !got(); ++i) loop_.run_for(Millis{1});
        return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
    }
    support::TempFolder folder_;
    std::string path_ = folder_ / "tlsrpt.sock";
    Fd collector_;
    std::optional<TlsReports> reports_;
};

TEST_F(TlsReportTest, SuccessAndFailure) {
    auto pair = tls::make_self_signed("fake");
    ASSERT_TRUE(pair);
    tls::ServerOptions server_options;
    server_options.certificate_pem = pair->certificate_pem;
    server_options.key_pem = pair->key_pem;
    FakeServer good(loop_, {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"}, {"STARTTLS", "220 go\r\n"}});
    good.tls.emplace(*tls::ServerContext::make(server_options));
    FakeServer plain(loop_, {});
    FakeServer broken(loop_, {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"},
                              {"STARTTLS", "220 go\r\nthis is no handshake\r\n"}});
    EXPECT_THAT(told(good, "far.test"), testing::EndsWith(R"("t":0,"f":0}]})"));
    EXPECT_THAT(told(plain, "far.test"),
                testing::HasSubstr(R"({"c":201,"s":"127.0.0.1","n":"far.test","r":"127.0.0.1"})"));
    EXPECT_THAT(told(broken, "far.test"), testing::HasSubstr(R"({"c":205,)"));
    options_.tls.level = smtp::TlsLevel::secure;
    EXPECT_THAT(told(good, "far.test"), testing::HasSubstr(R"({"c":203,)"));
    options_.tls.level = smtp::TlsLevel::encrypt;
    EXPECT_THAT(told(plain, "far.test"),
                testing::HasSubstr(R"("f":"TLS is required, but was not)"));
}

TEST_F(TlsReportTest, WhoIsNotTold) {
    FakeServer plain(loop_, {});
    EXPECT_EQ(told(plain, "quiet.test"), "") << "the domain has no record";
    EXPECT_EQ(told(plain, "[127.0.0.1]"), "");
    EXPECT_EQ(told(plain, "far.test", true), "") << "the sender wants no policy";
    options_.tls.level = smtp::TlsLevel::none;
    EXPECT_EQ(told(plain, "far.test"), "");
}

TEST_F(TlsReportTest, ARecordThatNobodyKnowsAtPresent) {
    dns_.zone = tests::FakeDns("far.test A 127.0.0.1\n_smtp._tls.far.test FAIL\n");
    FakeServer plain(loop_, {});
    EXPECT_EQ(told(plain, "far.test"), "");
    EXPECT_EQ(plain.messages, 1);
    EXPECT_THAT(log_ + log::take_captured(),
                testing::HasSubstr("smtp_tlsrpt_socket_name: nothing is told of far.test: "));
}

TEST_F(TlsReportTest, WithoutACollectorMailGoesOn) {
    FakeServer plain(loop_, {});
    collector_.reset();
    ::unlink(path_.c_str());
    (void)told(plain, "far.test");
    EXPECT_EQ(plain.messages, 1);
    EXPECT_THAT(log_ + log::take_captured(),
                testing::HasSubstr("smtp_tlsrpt_socket_name: socket " + path_ + ": "));
}

}  // namespace
}  // namespace postern::forwarder
