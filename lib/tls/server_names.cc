// Certificates by the name that a client asks for (RFC 6066 3): found while the handshake waits,
// and shown in that connection only. And OpenSSL's own configuration file.
#include <openssl/conf.h>
#include <openssl/pem.h>

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/tls/openssl.h"

namespace postern::tls {
namespace {

constexpr std::size_t kMaxServerName = 255;

// What a host name may be; anything else is nobody's.
bool is_server_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxServerName && name.front() != '.' &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_'; });
}

using InfosPtr = std::unique_ptr<STACK_OF(X509_INFO), decltype([](STACK_OF(X509_INFO) * infos) {
                                     sk_X509_INFO_pop_free(infos, X509_INFO_free);
                                 })>;

// The certificate that belongs to the key, and what follows it up to one of another key.
std::vector<X509Ptr> chain_of(EVP_PKEY* key, const std::vector<X509*>& all,
                              const std::vector<EVP_PKEY*>& keys) {
    std::vector<X509Ptr> chain;
    for (X509* certificate : all) {
        const bool own = X509_check_private_key(certificate, key) == 1;
        const bool of_another = !own && std::any_of(keys.begin(), keys.end(), [&](EVP_PKEY* other) {
            return X509_check_private_key(certificate, other) == 1;
        });
        if (chain.empty() ? !own : of_another) {
            if (!chain.empty()) break;
            continue;
        }
        X509_up_ref(certificate);
        chain.emplace_back(certificate);
    }
    ERR_clear_error();
    return chain;
}

}  // namespace

Result<std::vector<KeyedChain>> parse_chains(const std::string& pem) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const InfosPtr infos(PEM_X509_INFO_read_bio(bio.get(), nullptr, nullptr, nullptr));
    if (!infos) return openssl_error("certificates and keys", Errc::invalid);
    std::vector<X509*> certificates;
    std::vector<EVP_PKEY*> keys;
    for (int i = 0; i < sk_X509_INFO_num(infos.get()); ++i) {
        const X509_INFO* info = sk_X509_INFO_value(infos.get(), i);
        if (info->x509) certificates.push_back(info->x509);
        if (info->x_pkey && info->x_pkey->dec_pkey) keys.push_back(info->x_pkey->dec_pkey);
    }
    std::vector<KeyedChain> all;
    for (EVP_PKEY* key : keys) {
        KeyedChain one;
        one.chain = chain_of(key, certificates, keys);
        if (one.chain.empty()) return Error{Errc::invalid, "private key without its certificate"};
        EVP_PKEY_up_ref(key);
        one.key.reset(key);
        all.push_back(std::move(one));
    }
    if (all.empty()) return Error{Errc::invalid, "no private key"};
    return all;
}

Result<void> present(SSL* ssl, const std::vector<KeyedChain>& chains) {
    SSL_certs_clear(ssl);
    for (const auto& [key, chain] : chains) {
        constexpr int kReplace = 1;
        bool set = SSL_use_certificate(ssl, chain.front().get()) == 1 &&
                   SSL_use_PrivateKey(ssl, key.get()) == 1 &&
                   SSL_ctrl(ssl, SSL_CTRL_CHAIN, 0, nullptr) == 1;
        for (std::size_t i = 1; i < chain.size() && set; ++i)
            set = SSL_ctrl(ssl, SSL_CTRL_CHAIN_CERT, kReplace, chain[i].get()) == 1;
        if (!set) return openssl_error("certificate", Errc::invalid);
    }
    return {};
}

Result<void> check_identity(const std::string& pem) {
    const auto chains = parse_chains(pem);
    return chains ? Result<void>() : Result<void>(chains.error());
}

int ServerContext::State::on_server_name(SSL* ssl, int* alert, void* context) noexcept {
    const auto& state = *static_cast<const ServerContext::State*>(context);
    const char* asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!asked || !is_server_name(asked)) return SSL_TLSEXT_ERR_NOACK;
    const std::string name = to_lower(asked);
    const auto pem = state.identity_for(name);
    if (pem.not_found()) return SSL_TLSEXT_ERR_NOACK;
    if (pem.found()) {
        const auto chains = parse_chains(*pem);
        if (chains && present(ssl, *chains)) return SSL_TLSEXT_ERR_OK;
    }
    ERR_clear_error();
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<void> load_configuration(const std::string& file, const std::string& section) {
    if ((file.empty() || file == "default") && section.empty()) return {};
    if (file == "none") {
        if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) == 1) return {};
        return openssl_error("tls_config_file = none", Errc::invalid);
    }
    using SettingsPtr = std::unique_ptr<OPENSSL_INIT_SETTINGS, Freed<OPENSSL_INIT_free>>;
    const SettingsPtr settings(OPENSSL_INIT_new());
    bool done = settings != nullptr;
    if (done && !file.empty() && file != "default")
        done = OPENSSL_INIT_set_config_filename(settings.get(), file.c_str()) == 1;
    if (done && !section.empty())
        done = OPENSSL_INIT_set_config_appname(settings.get(), section.c_str()) == 1;
    if (done) {
        OPENSSL_INIT_set_config_file_flags(settings.get(), CONF_MFLAGS_DEFAULT_SECTION);
        done = OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, settings.get()) == 1;
    }
    if (!done) {
        return openssl_error(
            cat({"OpenSSL configuration ", file, section.empty() ? "" : " section ", section}),
            Errc::invalid);
    }
    return {};
}

}  // namespace postern::tls
