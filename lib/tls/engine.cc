// The TLS engine, see engine.h. OpenSSL reads from and writes to a BIO of ours whose two ends are
// pointers that are set for the length of one call: nothing is copied twice and nothing is kept.
#include "lib/tls/engine.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "lib/base/check.h"
#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/tls/openssl.h"

namespace postern::tls {
namespace {

constexpr std::size_t kRecordSize = 16384;  // RFC 8446 5.1

// The two ends of the BIO during one call of the engine.
struct Ends {
    std::string_view in;
    std::string* out = nullptr;
};

Ends* ends_of(BIO* bio) { return static_cast<Ends*>(BIO_get_data(bio)); }

int bio_read(BIO* bio, char* data, std::size_t size, std::size_t* taken) noexcept {
    Ends* ends = ends_of(bio);
    BIO_clear_retry_flags(bio);
    *taken = std::min(size, ends->in.size());
    if (*taken == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    std::memcpy(data, ends->in.data(), *taken);
    ends->in.remove_prefix(*taken);
    return 1;
}

int bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* taken) noexcept {
    Ends* ends = ends_of(bio);
    BIO_clear_retry_flags(bio);
    if (ends->out) ends->out->append(data, size);
    *taken = size;
    return 1;
}

long bio_control(BIO*, int command, long, void*) noexcept {
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

int bio_create(BIO* bio) noexcept {
    BIO_set_init(bio, 1);
    return 1;
}

// One per process, made at first use; OpenSSL keeps its types until the end as well.
const BIO_METHOD* bio_method() {
    static const BIO_METHOD* method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postern");
        POSTERN_CHECK(made != nullptr);
        BIO_meth_set_read_ex(made, bio_read);
        BIO_meth_set_write_ex(made, bio_write);
        BIO_meth_set_ctrl(made, bio_control);
        BIO_meth_set_create(made, bio_create);
        return made;
    }();
    return method;
}

std::string subject_part(const X509_NAME* name, int kind) {
    const int index = X509_NAME_get_index_by_NID(const_cast<X509_NAME*>(name), kind, -1);
    if (index < 0) return {};
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, value);
    if (size < 0) return {};
    std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
    return text;
}

using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

// The subject's alternative names of a type whose names are texts. Nothing: there are none. A name
// with a null byte within would be compared short of its end: it is nobody's.
std::optional<std::vector<std::string>> alternative_names(X509* certificate, int type) {
    constexpr int kMaxNames = 1000;
    std::optional<std::vector<std::string>> names;
    const NamesPtr list(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    const int count = list ? std::min(sk_GENERAL_NAME_num(list.get()), kMaxNames) : 0;
    for (int i = 0; i < count; ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
        if (name->type != type) continue;
        if (!names) names.emplace();
        const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.ia5));
        std::string text(data, static_cast<std::size_t>(ASN1_STRING_length(name->d.ia5)));
        if (text.find('\0') == std::string::npos) names->push_back(std::move(text));
    }
    return names;
}

// Those, or what the subject has of that kind where there are none.
std::vector<std::string> names_of(X509* certificate, int type, int subject_kind) {
    auto names = alternative_names(certificate, type);
    if (names) return *std::move(names);
    std::string one = subject_part(X509_get_subject_name(certificate), subject_kind);
    if (one.empty() || one.find('\0') != std::string::npos) return {};
    return {std::move(one)};
}

std::string colon_hex(const unsigned char* bytes, std::size_t size) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
        if (i > 0) text += ':';
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

std::vector<std::string> fingerprints_of(X509* certificate, const EVP_MD* digest) {
    std::vector<std::string> list;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (X509_digest(certificate, digest, bytes, &size) == 1) list.push_back(colon_hex(bytes, size));
    unsigned char* key = nullptr;
    const int key_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    if (key_size > 0) {
        if (EVP_Digest(key, static_cast<std::size_t>(key_size), bytes, &size, digest, nullptr) == 1)
            list.push_back(colon_hex(bytes, size));
        OPENSSL_free(key);
    }
    return list;
}

std::string_view curve_name(int nid) {
    switch (nid) {
        case NID_X9_62_prime256v1: return "P-256";
        case NID_secp384r1: return "P-384";
        case NID_secp521r1: return "P-521";
        default: {
            const char* name = OBJ_nid2sn(nid);
            return name ? name : "unknown";
        }
    }
}

std::string key_exchange(SSL* ssl) {
    const long nid = SSL_ctrl(ssl, SSL_CTRL_GET_NEGOTIATED_GROUP, 0, nullptr);
    if (nid == NID_X25519 || nid == NID_X448) return std::string(curve_name(static_cast<int>(nid)));
    if (nid <= 0) return {};
    return cat({"ECDHE (", curve_name(static_cast<int>(nid)), ")"});
}

// "ECDSA (P-256)", "RSA-PSS (2048 bits)", "ED25519"
std::string signature_of(X509* certificate) {
    EVP_PKEY* key = certificate ? X509_get0_pubkey(certificate) : nullptr;
    if (!key) return {};
    const int type = EVP_PKEY_get_base_id(key);
    if (type == EVP_PKEY_EC) {
        char curve[64] = "";
        EVP_PKEY_get_group_name(key, curve, sizeof curve, nullptr);
        return cat({"ECDSA (", curve_name(OBJ_txt2nid(curve)), ")"});
    }
    if (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS)
        return cat({"RSA-PSS (", std::to_string(EVP_PKEY_get_bits(key)), " bits)"});
    const char* name = OBJ_nid2sn(type);
    return name ? name : "";
}

// One side's " server-signature ECDSA (P-256) server-digest SHA256".
std::string signature_details(std::string_view side, X509* certificate, int digest) {
    const std::string signature = signature_of(certificate);
    if (signature.empty()) return {};
    std::string text = cat({" ", side, "-signature ", signature});
    const char* name = digest != NID_undef ? OBJ_nid2sn(digest) : nullptr;
    if (name) text += cat({" ", side, "-digest ", name});
    return text;
}

std::string key_details(SSL* ssl) {
    if (SSL_version(ssl) < TLS1_3_VERSION) return {};
    const std::string exchange = key_exchange(ssl);
    std::string text = exchange.empty() ? "" : " key-exchange " + exchange;
    if (SSL_session_reused(ssl) == 1) return text;
    const bool server = SSL_is_server(ssl) == 1;
    int own = NID_undef, peer = NID_undef;
    SSL_get_signature_nid(ssl, &own);
    SSL_get_peer_signature_nid(ssl, &peer);
    X509* own_certificate = SSL_get_certificate(ssl);
    X509* peer_certificate = SSL_get0_peer_certificate(ssl);
    text += server ? signature_details("server", own_certificate, own)
                   : signature_details("server", peer_certificate, peer);
    if (server && peer_certificate) text += signature_details("client", peer_certificate, peer);
    if (!server && own_certificate && own != NID_undef)
        text += signature_details("client", own_certificate, own);
    return text;
}

}  // namespace

struct Engine::State {
    Ends ends;
    SslPtr ssl;
    bool peer_closed = false;
    bool verifies = false;
    const EVP_MD* fingerprint_digest = nullptr;

    // Sets the ends for one call and takes them away again.
    class Use {
      public:
        Use(State& state, std::string_view in, std::string* out) : state_(state) {
            state_.ends = {in, out};
            ERR_clear_error();
        }
        ~Use() { state_.ends = {}; }
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;

      private:
        State& state_;
    };

    // What a call that did not succeed means: nothing yet, the end, or an error.
    Result<void> outcome(int returned, std::string_view doing) {
        switch (SSL_get_error(ssl.get(), returned)) {
            case SSL_ERROR_WANT_READ:
            case SSL_ERROR_WANT_WRITE: return {};
            case SSL_ERROR_ZERO_RETURN: peer_closed = true; return {};
            default: break;
        }
        const long verified = SSL_get_verify_result(ssl.get());
        if (verifies && verified != X509_V_OK && !SSL_is_init_finished(ssl.get())) {
            ERR_clear_error();
            return Error{Errc::denied, std::string("certificate verification failed: ") +
                                           X509_verify_cert_error_string(verified)};
        }
        return openssl_error(doing, Errc::closed);
    }
};

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<Engine> Engine::make(void* native_context, bool is_server, const void* digest) {
    auto state = std::make_unique<State>();
    state->fingerprint_digest = static_cast<const EVP_MD*>(digest);
    state->ssl.reset(SSL_new(static_cast<SSL_CTX*>(native_context)));
    BIO* bio = state->ssl ? BIO_new(bio_method()) : nullptr;
    if (!bio) return openssl_error("TLS connection", Errc::temporary);
    BIO_set_data(bio, &state->ends);
    SSL_set_bio(state->ssl.get(), bio, bio);  // takes the one reference for both directions
    is_server ? SSL_set_accept_state(state->ssl.get()) : SSL_set_connect_state(state->ssl.get());
    return Engine(std::move(state));
}

Result<Engine> Engine::server(const ServerContext& context) {
    return make(context.state_->ctx.get(), true, context.state_->fingerprint_digest);
}

bool is_usable_tlsa(std::string_view record, const std::vector<std::string>& digests) {
    if (record.size() < 4) return false;
    const auto usage = static_cast<unsigned char>(record[0]);
    const auto selector = static_cast<unsigned char>(record[1]);
    const auto matching = static_cast<unsigned char>(record[2]);
    if ((usage != 2 && usage != 3) || selector > 1 || matching > 2) return false;
    if (matching == 0) return true;
    const std::string_view digest = matching == 1 ? "sha256" : "sha512";
    const std::size_t size = matching == 1 ? 32 : 64;
    return record.size() == 3 + size &&
           std::any_of(digests.begin(), digests.end(),
                       [&](const std::string& one) { return iequals(one, digest); });
}

namespace {

// RFC 7672 3.1.1: with DANE-EE neither names nor dates count; 8.1: SNI is the TLSA base domain.
Result<void> expect_dane(SSL* ssl, const Dane& dane) {
    bool set = SSL_dane_enable(ssl, dane.base.empty() ? nullptr : dane.base.c_str()) > 0;
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (const auto& name : dane.names) set = set && SSL_add1_host(ssl, name.c_str()) == 1;
    if (!set) return openssl_error("DANE", Errc::temporary);
    bool usable = false;
    for (const auto& record : dane.records) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(record.data());
        if (record.size() < 4) continue;
        usable = SSL_dane_tlsa_add(ssl, bytes[0], bytes[1], bytes[2], bytes + 3,
                                   record.size() - 3) > 0 ||
                 usable;
    }
    ERR_clear_error();
    if (!usable) return Error{Errc::denied, "TLSA records unusable"};
    return {};
}

}  // namespace

// RFC 6698 2.1: usage 2 (DANE-TA), selector 0 (certificate) or 1 (public key), all of it.
Result<std::vector<std::string>> trust_anchors(const std::string& pem) {
    constexpr std::string_view kCertificate("\2\0\0", 3), kPublicKey("\2\1\0", 3);
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::vector<std::string> records;
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    while (bio && PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
        const std::string kind(name);
        const std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
        const auto* at = reinterpret_cast<const unsigned char*>(der.data());
        bool good = false;
        if (kind == "PUBLIC KEY") {
            good = KeyPtr(d2i_PUBKEY(nullptr, &at, size)) != nullptr;
            records.push_back(cat({kPublicKey, der}));
        } else if (kind == "CERTIFICATE" || kind == "X509 CERTIFICATE") {
            good = X509Ptr(d2i_X509(nullptr, &at, size)) != nullptr;
            records.push_back(cat({kCertificate, der}));
        }
        if (!good) return Error{Errc::invalid, cat({"trust anchor: bad ", printable(kind, 60)})};
    }
    ERR_clear_error();  // the end of the text, reported as an error
    if (records.empty())
        return Error{Errc::invalid, "trust anchor: no certificate or public key in the text"};
    return records;
}

Result<Engine> Engine::client(const ClientContext& context, const std::string& hostname,
                              const Dane* dane) {
    TRY_ASSIGN(Engine engine,
               make(context.state_->ctx.get(), false, context.state_->fingerprint_digest));
    SSL* ssl = engine.state_->ssl.get();
    engine.state_->verifies = context.state_->verify;
    if (dane && !dane->base.empty()) {
        TRY(expect_dane(ssl, *dane));
        return engine;
    }
    if (hostname.empty() && !dane) return engine;
    bool set = true;
    if (hostname.empty()) {
        // no SNI
    } else if (IpAddress::parse(hostname)) {  // RFC 6066 3: no literal addresses in SNI
        if (context.state_->check_name)
            set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), hostname.c_str()) == 1;
    } else {
        // The macro SSL_set_tlsext_host_name, without its C cast.
        set = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                       const_cast<char*>(hostname.c_str())) == 1;
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (context.state_->check_name) set = set && SSL_set1_host(ssl, hostname.c_str()) == 1;
    }
    if (!set) return openssl_error(hostname, Errc::invalid);
    if (dane) TRY(expect_dane(ssl, *dane));
    return engine;
}

Result<void> Engine::start(std::string& out) {
    State::Use use(*state_, {}, &out);
    const int done = SSL_do_handshake(state_->ssl.get());
    return done == 1 ? Result<void>() : state_->outcome(done, "TLS handshake");
}

Result<void> Engine::feed(std::string_view encrypted, std::string& plain, std::string& out) {
    State::Use use(*state_, encrypted, &out);
    if (!established()) {
        const int done = SSL_do_handshake(state_->ssl.get());
        if (done != 1) return state_->outcome(done, "TLS handshake");
    }
    char record[kRecordSize];
    while (!state_->peer_closed) {
        std::size_t size = 0;
        const int done = SSL_read_ex(state_->ssl.get(), record, sizeof record, &size);
        if (done != 1) return state_->outcome(done, "TLS read");
        plain.append(record, size);
    }
    return {};
}

Result<void> Engine::write(std::string_view plain, std::string& out) {
    POSTERN_CHECK(established());
    State::Use use(*state_, {}, &out);
    while (!plain.empty()) {
        std::size_t taken = 0;
        const int done = SSL_write_ex(state_->ssl.get(), plain.data(), plain.size(), &taken);
        if (done != 1) return openssl_error("TLS write", Errc::closed);
        plain.remove_prefix(taken);
    }
    return {};
}

void Engine::close(std::string& out) {
    if (!established()) return;
    State::Use use(*state_, {}, &out);
    SSL_shutdown(state_->ssl.get());
    ERR_clear_error();
}

bool Engine::established() const { return SSL_is_init_finished(state_->ssl.get()) == 1; }
bool Engine::peer_closed() const { return state_->peer_closed; }

std::string Info::describe() const {
    return cat({protocol, " with cipher ", cipher, " (", std::to_string(cipher_bits), "/",
                std::to_string(algorithm_bits), " bits)", key_details});
}

ChannelBindings Engine::channel_bindings() const { return channel_bindings_of(state_->ssl.get()); }

Info Engine::info() const {
    SSL* ssl = state_->ssl.get();
    Info info;
    info.protocol = SSL_get_version(ssl);
    const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl);
    if (cipher) info.cipher_bits = SSL_CIPHER_get_bits(cipher, &info.algorithm_bits);
    info.cipher = cipher ? SSL_CIPHER_get_name(cipher) : "";
    info.resumed = SSL_session_reused(ssl) == 1;
    info.key_details = key_details(ssl);
    X509* certificate = SSL_get0_peer_certificate(ssl);
    if (!certificate) return info;
    info.peer_certificate = true;
    info.peer_name = subject_part(X509_get_subject_name(certificate), NID_commonName);
    info.issuer_name = subject_part(X509_get_issuer_name(certificate), NID_commonName);
    info.peer_names = names_of(certificate, GEN_DNS, NID_commonName);
    info.peer_emails = names_of(certificate, GEN_EMAIL, NID_pkcs9_emailAddress);
    if (state_->fingerprint_digest)
        info.peer_fingerprints = fingerprints_of(certificate, state_->fingerprint_digest);
    const long verified = SSL_get_verify_result(ssl);
    info.peer_verified = verified == X509_V_OK;
    if (!info.peer_verified) info.verify_error = X509_verify_cert_error_string(verified);
    return info;
}

}  // namespace postern::tls
