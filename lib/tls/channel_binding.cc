// Channel bindings, see engine.h.
#include <algorithm>

#include "lib/tls/openssl.h"

namespace postern::tls {
namespace {

// RFC 9266 2, and 4.2: in TLS 1.2 only with the extended master secret (RFC 7627).
std::string exporter_binding(SSL* ssl) {
    constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    constexpr std::size_t kSize = 32;
    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1) return {};
    std::string bytes(kSize, '\0');
    const auto* no_context = reinterpret_cast<const unsigned char*>("");
    const int done =
        SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(bytes.data()),
                                   bytes.size(), kLabel.data(), kLabel.size(), no_context, 0, 1);
    return done == 1 ? bytes : std::string();
}

// RFC 5929 3.1: the first Finished of the handshake, which in a resumed session is the server's.
// Without the extended master secret others could bring about the same one (RFC 7627 1).
std::string unique_binding(SSL* ssl) {
    if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) != 1) return {};
    std::string bytes(EVP_MAX_MD_SIZE, '\0');
    const bool ours = (SSL_is_server(ssl) == 1) == (SSL_session_reused(ssl) == 1);
    const std::size_t size = ours ? SSL_get_finished(ssl, bytes.data(), bytes.size())
                                  : SSL_get_peer_finished(ssl, bytes.data(), bytes.size());
    bytes.resize(std::min(size, bytes.size()));
    return bytes;
}

// RFC 5929 4.1: with the digest of the certificate's signature, and SHA-256 in place of MD5 and
// SHA-1. A signature without one (Ed25519) leaves it undefined.
std::string end_point_binding(SSL* ssl) {
    X509* certificate =
        SSL_is_server(ssl) == 1 ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
    int digest = NID_undef;
    if (certificate == nullptr ||
        X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr) != 1)
        return {};
    if (digest == NID_md5 || digest == NID_sha1) digest = NID_sha256;
    const EVP_MD* kind = digest == NID_undef ? nullptr : EVP_get_digestbynid(digest);
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (kind == nullptr || X509_digest(certificate, kind, bytes, &size) != 1) return {};
    return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

ChannelBindings channel_bindings_of(SSL* ssl) {
    ChannelBindings bindings{exporter_binding(ssl), unique_binding(ssl), end_point_binding(ssl)};
    ERR_clear_error();
    return bindings;
}

}  // namespace postern::tls
