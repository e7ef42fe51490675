#include "lib/service/sasl_mechanisms.h"

#include <string>

namespace postern::service {
namespace {

tls::Info verified(const std::string& name, std::vector<std::string> emails) {
    tls::Info info;
    info.peer_certificate = info.peer_verified = true;
    info.peer_name = name;
    info.peer_emails = std::move(emails);
    return info;
}

TEST(SaslMechanisms, TheUserOfACertificate) {
    using enum CertificateName;
    const auto ann = verified("ann", {"ann@example.test", "other@example.test"});
    EXPECT_EQ(certificate_user(common_name, ann), "ann");
    EXPECT_EQ(certificate_user(email, ann), "ann@example.test");
    EXPECT_EQ(certificate_user(email, verified("ann", {})), "");
    EXPECT_EQ(certificate_user(common_name, verified("", {})), "");
    for (const char* nobody : {"a\nb", "a:b", "../x", "#x", "a b"})
        EXPECT_EQ(certificate_user(common_name, verified(nobody, {})), "") << nobody;
    auto stranger = ann;
    stranger.peer_verified = false;
    EXPECT_EQ(certificate_user(common_name, stranger), "");
    EXPECT_EQ(certificate_user(common_name, {}), "");
}

}  // namespace
}  // namespace postern::service
