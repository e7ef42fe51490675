// DANE (RFC 6698, RFC 7672): a server's certificate against TLSA records.
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "lib/tls/certificate.h"
#include "lib/tls/context.h"
#include "lib/tls/engine.h"
#include "lib/tls/openssl.h"

namespace postern::tls {
namespace {

std::string digest_of(const std::string& bytes, const EVP_MD* type) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_Digest(bytes.data(), bytes.size(), out, &size, type, nullptr);
    return {reinterpret_cast<const char*>(out), size};
}

// What records are about: the whole certificate, or its public key.
std::string der(const CertificatePair& pair, bool key_only) {
    const BioPtr bio(BIO_new_mem_buf(pair.certificate_pem.data(),
                                     static_cast<int>(pair.certificate_pem.size())));
    const X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    unsigned char* bytes = nullptr;
    const int size = key_only ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &bytes)
                              : i2d_X509(certificate.get(), &bytes);
    std::string text(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return text;
}

std::string record(int usage, int selector, int matching, const std::string& data) {
    std::string text;
    for (const int number : {usage, selector, matching}) text += static_cast<char>(number);
    return text + (matching == 0   ? data
                   : matching == 1 ? digest_of(data, EVP_sha256())
                                   : digest_of(data, EVP_sha512()));
}

// Whether the server is believed by these records.
std::string judged(const CertificatePair& pair, const Dane& dane) {
    ServerOptions options;
    options.certificate_pem = pair.certificate_pem;
    options.key_pem = pair.key_pem;
    const auto server_context = ServerContext::make(options).value();
    const auto client_context = ClientContext::make({}).value();
    auto client = Engine::client(client_context, "other.test", &dane);
    if (!client) return client.error().what;
    auto server = Engine::server(server_context).value();
    std::string to_server, to_client, plain;
    EXPECT_TRUE(client->start(to_server));
    for (int turn = 0; turn < 10 && !client->established(); ++turn) {
        EXPECT_TRUE(server.feed(std::exchange(to_server, {}), plain, to_client));
        EXPECT_TRUE(client->feed(std::exchange(to_client, {}), plain, to_server));
    }
    const Info info = client->info();
    return info.peer_verified ? "verified" : "not verified";
}

TEST(Dane, RecordsOfTheServersOwnCertificate) {
    const auto pair = make_self_signed("mx.test").value();
    const auto another = make_self_signed("mx.test").value();
    for (const bool key_only : {false, true}) {
        for (const int matching : {0, 1, 2}) {
            const std::string fits = record(3, key_only, matching, der(pair, key_only));
            const std::string does_not = record(3, key_only, matching, der(another, key_only));
            EXPECT_EQ(judged(pair, {{fits}, "mx.test", {}}), "verified") << matching;
            EXPECT_EQ(judged(pair, {{does_not}, "mx.test", {}}), "not verified") << matching;
            EXPECT_EQ(judged(pair, {{does_not, fits}, "mx.test", {}}), "verified") << matching;
            // RFC 7672 3.1.1: the name does not matter.
            EXPECT_EQ(judged(pair, {{fits}, "elsewhere.test", {}}), "verified") << matching;
        }
    }
}

// RFC 7672 3.1.2. That the server's own certificate is none of an authority; the system test has a
// real one.
TEST(Dane, AnAuthorityIsNotTheServerItself) {
    const auto pair = make_self_signed("mx.test").value();
    const std::string record_2 = record(2, 0, 1, der(pair, false));
    EXPECT_EQ(judged(pair, {{record_2}, "mx.test", {}}), "not verified");
}

TEST(Dane, WhatCannotBeUsedIsNoPermission) {
    const auto pair = make_self_signed("mx.test").value();
    EXPECT_EQ(judged(pair, {{std::string("\3\1\1short", 8)}, "mx.test", {}}),
              "TLSA records unusable");
    EXPECT_EQ(judged(pair, {{"x"}, "mx.test", {}}), "TLSA records unusable");
    EXPECT_EQ(judged(pair, {{}, "mx.test", {}}), "TLSA records unusable");
}

TEST(Dane, WhichRecordsCount) {
    const std::vector<std::string> both = {"sha512", "sha256"};
    const std::string d32(32, 'x'), d64(64, 'x');
    const auto made = [](int usage, int selector, int matching, const std::string& data) {
        std::string text;
        for (const int number : {usage, selector, matching}) text += static_cast<char>(number);
        return text + data;
    };
    EXPECT_TRUE(is_usable_tlsa(made(3, 1, 1, d32), both));
    EXPECT_TRUE(is_usable_tlsa(made(2, 0, 2, d64), both));
    EXPECT_TRUE(is_usable_tlsa(made(3, 0, 0, "any"), both));
    EXPECT_FALSE(is_usable_tlsa(made(1, 1, 1, d32), both)) << "RFC 7672 3.1.3: not for SMTP";
    EXPECT_FALSE(is_usable_tlsa(made(0, 1, 1, d32), both));
    EXPECT_FALSE(is_usable_tlsa(made(3, 2, 1, d32), both));
    EXPECT_FALSE(is_usable_tlsa(made(3, 1, 3, d32), both));
    EXPECT_FALSE(is_usable_tlsa(made(3, 1, 1, d64), both));
    EXPECT_FALSE(is_usable_tlsa(made(3, 1, 2, d64), {"sha256"}));
    EXPECT_FALSE(is_usable_tlsa("", both));
}

// A certificate for that name, by an authority that it does not send.
CertificatePair signed_by(const CertificatePair& authority, const std::string& name) {
    auto leaf = make_self_signed(name).value();
    const auto read = [](const std::string& text) {
        const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        return X509Ptr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    };
    const X509Ptr issuer = read(authority.certificate_pem),
                  certificate = read(leaf.certificate_pem);
    const BioPtr key_bio(
        BIO_new_mem_buf(authority.key_pem.data(), static_cast<int>(authority.key_pem.size())));
    const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
    EXPECT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    leaf.certificate_pem.assign(text, static_cast<std::size_t>(size));
    return leaf;
}

// Authorities from a file, as records; without names of their own.
TEST(TrustAnchorRecords, FromPem) {
    const auto pair = *make_self_signed("authority.test");
    const auto other = *make_self_signed("other.test");
    const auto certificate = trust_anchors(pair.certificate_pem);
    ASSERT_TRUE(certificate);
    EXPECT_EQ(*certificate, std::vector<std::string>{record(2, 0, 0, der(pair, false))});
    const BioPtr bio(BIO_new(BIO_s_mem()));
    const BioPtr in(BIO_new_mem_buf(pair.certificate_pem.data(),
                                    static_cast<int>(pair.certificate_pem.size())));
    const X509Ptr parsed(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    PEM_write_bio_PUBKEY(bio.get(), X509_get0_pubkey(parsed.get()));
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    const std::string key_pem(text, static_cast<std::size_t>(size));
    const auto both = trust_anchors(key_pem + other.certificate_pem);
    ASSERT_TRUE(both);
    EXPECT_EQ(both->size(), 2u);
    EXPECT_EQ(both->at(0), record(2, 1, 0, der(pair, true)));

    const auto server = signed_by(pair, "mx.test");
    EXPECT_EQ(judged(server, {*certificate, {}, {}}), "verified");
    EXPECT_EQ(judged(server, {{both->at(0)}, {}, {}}), "verified") << "by the key alone";
    EXPECT_EQ(judged(server, {{both->at(1)}, {}, {}}), "not verified");
    EXPECT_EQ(judged(server, {*both, {}, {}}), "verified");
    EXPECT_EQ(judged(pair, {*certificate, {}, {}}), "not verified") << "no authority, itself";
    for (const std::string& bad :
         {std::string(), std::string("text"), pair.key_pem,
          std::string("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")})
        EXPECT_FALSE(trust_anchors(bad)) << bad;
}

}  // namespace
}  // namespace postern::tls
