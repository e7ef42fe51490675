// tls_server_sni_maps: certificates by name, from tables that master has handed over.
#include "lib/service/server_names.h"

#include <unistd.h>

#include "lib/base/encode.h"
#include "lib/log/log.h"
#include "lib/sys/file.h"
#include "lib/tls/certificate.h"

namespace postern::service {
namespace {

TEST(CertificatesByName, NamesAndTheirParents) {
    const auto one = tls::make_self_signed("one.test").value();
    const std::string pem = one.key_pem + one.certificate_pem;
    const std::string path = testing::TempDir() + "/server_names_test.table";
    ASSERT_TRUE(sys::replace_file(path, "one.test " + base64_encode(pem) + "\n.wide.test " +
                                            base64_encode(pem) + "\nfiles.test /etc/key.pem\n" +
                                            "nokey.test " + base64_encode("x") + "\n"));
    const auto config =
        config::Config::parse("tls_server_sni_maps = texthash:" + path + "\n").value();
    EXPECT_THAT(key_paths("smtpd", config), testing::Contains(path));
    EXPECT_THAT(key_paths("login", config), testing::Contains(path));
    Fd sealed = KeyFiles::seal({path}).value();
    const auto keys = KeyFiles::read_sealed(std::move(sealed)).value();
    ::unlink(path.c_str());  // what was handed over is enough
    log::open_capture();
    const auto lookup = certificates_by_name(config, keys);
    ASSERT_TRUE(lookup) << lookup.error().what;
    ASSERT_TRUE(*lookup);
    EXPECT_EQ((*lookup)("one.test").value(), pem);
    EXPECT_EQ((*lookup)("mx.wide.test").value(), pem);
    EXPECT_EQ((*lookup)("a.b.wide.test").value(), pem);
    EXPECT_TRUE((*lookup)("wide.test").not_found());
    EXPECT_TRUE((*lookup)("sub.one.test").not_found());
    EXPECT_TRUE((*lookup)("files.test").failed());
    EXPECT_TRUE((*lookup)("nokey.test").failed());
    const std::string logged = log::take_captured();
    EXPECT_THAT(logged, testing::HasSubstr("files.test: value not made by postmap -F"));
    EXPECT_THAT(logged, testing::HasSubstr("nokey.test: "));
}

TEST(CertificatesByName, NoneAndWrongOnes) {
    const auto none = certificates_by_name(*config::Config::parse(""), {});
    ASSERT_TRUE(none);
    EXPECT_FALSE(*none);
    const auto wrong =
        certificates_by_name(*config::Config::parse("tls_server_sni_maps = mysql:/x\n"), {});
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().what, testing::HasSubstr("mysql:/x: only hash:"));
    const auto missing =
        certificates_by_name(*config::Config::parse("tls_server_sni_maps = hash:/no/such\n"), {});
    ASSERT_TRUE(missing);
    EXPECT_TRUE((*missing)("one.test").failed());
}

}  // namespace
}  // namespace postern::service
