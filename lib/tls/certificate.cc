// Self-signed certificates, see certificate.h.
#include "lib/tls/certificate.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "lib/base/strings.h"
#include "lib/tls/openssl.h"

namespace postern::tls {
namespace {

constexpr std::size_t kLongestCommonName = 64;  // RFC 5280 appendix A: ub-common-name
constexpr long kDay = 24L * 60 * 60;

Result<std::string> text_of(const BioPtr& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    if (size <= 0) return openssl_error("PEM", Errc::temporary);
    return std::string(data, static_cast<std::size_t>(size));
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    if (!extension) return false;
    const bool added = X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

bool set_serial(X509* certificate) {
    unsigned char bytes[16] = {};
    if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
    bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 1);  // RFC 5280 4.1.2.2: positive
    ASN1_INTEGER* serial = X509_get_serialNumber(certificate);
    return ASN1_STRING_set(serial, bytes, sizeof bytes) == 1;
}

bool set_name(X509* certificate, const std::string& hostname) {
    X509_NAME* name = X509_get_subject_name(certificate);
    if (hostname.size() <= kLongestCommonName &&
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(hostname.data()),
                                   static_cast<int>(hostname.size()), -1, 0) != 1) {
        return false;
    }
    return X509_set_issuer_name(certificate, name) == 1;
}

bool is_host_name(std::string_view name) {
    for (char c : name) {
        if (!is_alnum(c) && c != '.' && c != '-' && c != '_') return false;
    }
    return !name.empty() && name.size() <= 255;
}

}  // namespace

Result<CertificatePair> make_self_signed(const std::string& hostname, int days) {
    if (!is_host_name(hostname)) return Error{Errc::invalid, cat({hostname, ": not a host name"})};
    KeyPtr key(EVP_EC_gen("P-256"));
    X509Ptr certificate(X509_new());
    if (!key || !certificate) return openssl_error("new key", Errc::temporary);
    X509* cert = certificate.get();
    const bool made = X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
                      X509_gmtime_adj(X509_getm_notBefore(cert), -kDay) != nullptr &&
                      X509_gmtime_adj(X509_getm_notAfter(cert), days * kDay) != nullptr &&
                      X509_set_pubkey(cert, key.get()) == 1 && set_name(cert, hostname) &&
                      add_extension(cert, NID_subject_alt_name, "DNS:" + hostname) &&
                      add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
                      add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
                      X509_sign(cert, key.get(), EVP_sha256()) != 0;
    if (!made) return openssl_error("new certificate", Errc::temporary);
    BioPtr cert_bio(BIO_new(BIO_s_mem())), key_bio(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_X509(cert_bio.get(), cert) != 1 ||
        PEM_write_bio_PrivateKey(key_bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
            1) {
        return openssl_error("PEM", Errc::temporary);
    }
    CertificatePair pair;
    TRY_ASSIGN(pair.certificate_pem, text_of(cert_bio));
    TRY_ASSIGN(pair.key_pem, text_of(key_bio));
    return pair;
}

}  // namespace postern::tls
