// Contexts, see context.h. Everything that may fail fails here, at start, with a text that names
// the file's fault; a connection later only shares what was made.
#include "lib/tls/context.h"

#include <charconv>
#include <optional>

#include "lib/base/strings.h"
#include "lib/tls/openssl.h"

namespace postern::tls {
namespace {

// No anonymous, export, RC4, 3DES or MD5 suites; those with forward secrecy come first by
// themselves.
constexpr const char* kDefaultCiphers = "HIGH:!aNULL:!eNULL:!PSK:!SRP:!MD5:!RC4:!3DES@SECLEVEL=1";
constexpr long kSessionLifetime = 3600;

int native(Version version) {
    switch (version) {
        case Version::tls1_0: return TLS1_VERSION;
        case Version::tls1_1: return TLS1_1_VERSION;
        case Version::tls1_2: return TLS1_2_VERSION;
        case Version::tls1_3: return TLS1_3_VERSION;
    }
    return TLS1_2_VERSION;
}

BioPtr memory_bio(const std::string& text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<void> use_chain(SSL_CTX* ctx, const std::string& pem) {
    auto bio = memory_bio(pem);
    X509Ptr leaf(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
    if (!leaf) return openssl_error("certificate", Errc::invalid);
    if (SSL_CTX_use_certificate(ctx, leaf.get()) != 1) {
        return openssl_error("certificate", Errc::invalid);
    }
    while (X509Ptr issuer{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
        if (SSL_CTX_add1_chain_cert(ctx, issuer.get()) != 1) {
            return openssl_error("certificate chain", Errc::invalid);
        }
    }
    ERR_clear_error();  // the end of the text, reported as an error
    return {};
}

Result<void> use_pair(SSL_CTX* ctx, const std::string& chain_pem, const std::string& key_pem) {
    TRY(use_chain(ctx, chain_pem));
    auto bio = memory_bio(key_pem);
    KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key) return openssl_error("private key", Errc::invalid);
    if (SSL_CTX_use_PrivateKey(ctx, key.get()) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
        return openssl_error("private key and certificate", Errc::invalid);
    }
    return {};
}

// Postfix's names for OpenSSL's options.
constexpr std::pair<std::string_view, std::uint64_t> kSslOptions[] = {
    {"enable_middlebox_compat", SSL_OP_ENABLE_MIDDLEBOX_COMPAT},
    {"legacy_server_connect", SSL_OP_LEGACY_SERVER_CONNECT},
    {"no_compression", SSL_OP_NO_COMPRESSION},
    {"no_encrypt_then_mac", SSL_OP_NO_ENCRYPT_THEN_MAC},
    {"no_renegotiation", SSL_OP_NO_RENEGOTIATION},
    {"no_session_resumption_on_renegotiation", SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION},
    {"no_ticket", SSL_OP_NO_TICKET},
    {"prioritize_chacha", SSL_OP_PRIORITIZE_CHACHA},
    {"tlsext_padding", SSL_OP_TLSEXT_PADDING},
};

Result<std::uint64_t> ssl_option(std::string_view word) {
    for (const auto& [name, bits] : kSslOptions) {
        if (iequals(word, name)) return bits;
    }
    std::uint64_t bits = 0;
    const auto hex =
        word.substr(word.starts_with("0x") || word.starts_with("0X") ? 2 : word.size());
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), bits, 16);
    if (hex.empty() || error != std::errc() || end != hex.data() + hex.size()) {
        return Error{Errc::invalid, cat({"unknown TLS option ", word})};
    }
    return bits;
}

// What both sides have in common.
Result<SslCtxPtr> make_context(const SSL_METHOD* method, const CommonOptions& options) {
    SslCtxPtr ctx(SSL_CTX_new(method));
    if (!ctx) return openssl_error("TLS context", Errc::temporary);
    SSL_CTX_set_mode(ctx.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_options(ctx.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    const bool set =
        SSL_CTX_set_min_proto_version(ctx.get(), native(options.minimum)) == 1 &&
        SSL_CTX_set_max_proto_version(ctx.get(), native(options.maximum)) == 1 &&
        SSL_CTX_set_cipher_list(
            ctx.get(), options.ciphers.empty() ? kDefaultCiphers : options.ciphers.c_str()) == 1;
    if (!set) return openssl_error("TLS versions or ciphers", Errc::invalid);
    if (!options.groups.empty() && SSL_CTX_set1_groups_list(ctx.get(), options.groups.c_str()) != 1)
        return openssl_error(cat({"TLS groups ", options.groups}), Errc::invalid);
    for (const auto& word : options.ssl_options) {
        TRY_ASSIGN(const std::uint64_t bits, ssl_option(word));
        SSL_CTX_set_options(ctx.get(), bits);
    }
    SSL_CTX_set_verify_depth(ctx.get(), options.verify_depth);
    if (!options.certificate_pem.empty())
        TRY(use_pair(ctx.get(), options.certificate_pem, options.key_pem));
    for (const auto& [certificate, key] : options.more_identities)
        TRY(use_pair(ctx.get(), certificate, key));
    return ctx;
}

Result<void> trust(SSL_CTX* ctx, const CommonOptions& options, bool use_default) {
    const char* file = options.trusted_ca_file.empty() ? nullptr : options.trusted_ca_file.c_str();
    const char* path = options.trusted_ca_path.empty() ? nullptr : options.trusted_ca_path.c_str();
    int loaded = file || path ? SSL_CTX_load_verify_locations(ctx, file, path) : 1;
    if (loaded == 1 && use_default) loaded = SSL_CTX_set_default_verify_paths(ctx);
    if (loaded != 1) {
        return openssl_error(cat({"trusted certificates ", file   ? file
                                                           : path ? path
                                                                  : ""}),
                             Errc::invalid);
    }
    ERR_clear_error();
    return {};
}

Result<const EVP_MD*> digest_named(const std::string& name) {
    if (name.empty()) return nullptr;
    const EVP_MD* digest = EVP_get_digestbyname(name.c_str());
    if (!digest) return Error{Errc::invalid, cat({"unknown digest ", name})};
    return digest;
}

// A client certificate is asked for, to be reported and not to be judged here: policy judges.
int accept_any(int, X509_STORE_CTX*) { return 1; }

std::optional<Version> version_named(std::string_view name) {
    if (iequals(name, "TLSv1") || iequals(name, "TLSv1.0")) return Version::tls1_0;
    if (iequals(name, "TLSv1.1")) return Version::tls1_1;
    if (iequals(name, "TLSv1.2")) return Version::tls1_2;
    if (iequals(name, "TLSv1.3")) return Version::tls1_3;
    return std::nullopt;
}

bool is_ssl(std::string_view name) { return iequals(name, "SSLv2") || iequals(name, "SSLv3"); }

}  // namespace

Error openssl_error(std::string_view doing, Errc code) {
    const unsigned long number = ERR_get_error();
    const char* reason = number != 0 ? ERR_reason_error_string(number) : nullptr;
    ERR_clear_error();
    return Error{code, cat({doing, ": ", reason ? reason : "unknown TLS error"})};
}

ServerContext::ServerContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerContext::ServerContext(ServerContext&&) noexcept = default;
ServerContext& ServerContext::operator=(ServerContext&&) noexcept = default;
ServerContext::~ServerContext() = default;

Result<ServerContext> ServerContext::make(const ServerOptions& options) {
    if (options.certificate_pem.empty()) return Error{Errc::invalid, "certificate: none given"};
    TRY_ASSIGN(SslCtxPtr ctx, make_context(TLS_server_method(), options));
    if (options.server_preference) SSL_CTX_set_options(ctx.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Tickets resume without memory on our side; a cache would only grow.
    SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx.get(), 1);
    SSL_CTX_set_timeout(ctx.get(), static_cast<long>(options.session_lifetime.count()));
    static constexpr unsigned char kSessionContext[] = "postern";
    SSL_CTX_set_session_id_context(ctx.get(), kSessionContext, sizeof kSessionContext - 1);
    auto state = std::make_unique<State>();
    if (options.ask_client_certificate) {
        // By themselves the system's authorities would let anybody's clients in.
        TRY(trust(ctx.get(), options, options.append_default_ca));
        SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, accept_any);
    }
    TRY_ASSIGN(state->fingerprint_digest, digest_named(options.fingerprint_digest));
    if (options.identity_for) {
        state->identity_for = options.identity_for;
        // The macros SSL_CTX_set_tlsext_servername_callback and _arg, without their C casts.
        SSL_CTX_callback_ctrl(ctx.get(), SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                              reinterpret_cast<void (*)()>(State::on_server_name));
        SSL_CTX_ctrl(ctx.get(), SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG, 0, state.get());
    }
    state->ctx = std::move(ctx);
    return ServerContext(std::move(state));
}

ClientContext::ClientContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientContext::ClientContext(ClientContext&&) noexcept = default;
ClientContext& ClientContext::operator=(ClientContext&&) noexcept = default;
ClientContext::~ClientContext() = default;

Result<ClientContext> ClientContext::make(const ClientOptions& options) {
    TRY_ASSIGN(SslCtxPtr ctx, make_context(TLS_client_method(), options));
    const bool use_default = options.append_default_ca ||
                             (options.trusted_ca_file.empty() && options.trusted_ca_path.empty());
    if (auto loaded = trust(ctx.get(), options, use_default); !loaded && options.verify)
        return std::move(loaded).error();
    if (options.verify) SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_dane_enable(ctx.get()) != 1) return openssl_error("DANE", Errc::temporary);
    auto state = std::make_unique<State>();
    TRY_ASSIGN(state->fingerprint_digest, digest_named(options.fingerprint_digest));
    state->ctx = std::move(ctx);
    state->verify = options.verify;
    state->check_name = options.check_name;
    return ClientContext(std::move(state));
}

std::string cipher_list(std::string_view grade_list, const std::vector<std::string>& excluded) {
    std::string list(grade_list.empty() ? std::string_view(kDefaultCiphers) : grade_list);
    for (const auto& word : excluded) {
        if (!word.empty()) list += cat({":!", word});
    }
    return list;
}

Result<VersionRange> parse_versions(std::string_view text) {
    bool allowed[4] = {true, true, true, true};
    bool listed = false;  // a plain name turns the list into one of what is allowed
    bool named[4] = {};
    for (auto word : split_words(text, ", \t:")) {
        const bool not_word = word.starts_with('!');
        const bool from = word.starts_with(">="), to = word.starts_with("<=");
        const auto name = word.substr(not_word ? 1 : from || to ? 2 : 0);
        const auto version = version_named(name);
        if (!version && !is_ssl(name)) {
            return Error{Errc::invalid, cat({"unknown TLS protocol ", word})};
        }
        if (!version) continue;  // SSL is never offered, whatever is asked for
        const auto index = static_cast<std::size_t>(*version);
        if (not_word) allowed[index] = false;
        for (std::size_t i = 0; i < 4; ++i) {
            if ((from && i < index) || (to && i > index)) allowed[i] = false;
        }
        if (!not_word && !from && !to) named[index] = listed = true;
    }
    std::optional<std::size_t> first, last;
    for (std::size_t i = 0; i < 4; ++i) {
        if (!allowed[i] || (listed && !named[i])) continue;
        if (!first) first = i;
        last = i;
    }
    if (!first) return Error{Errc::invalid, cat({"no TLS protocol is left by ", text})};
    return VersionRange{static_cast<Version>(*first), static_cast<Version>(*last)};
}

}  // namespace postern::tls
