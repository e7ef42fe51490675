// The TLS engine, see engine.h. OpenSSL reads from and writes to a BIO of ours whose two ends are
// pointers that are set for the length of one call: nothing is copied twice and nothing is kept.
#include "lib/tls/engine.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "lib/base/check.h"
#include "lib/base/ip_address.h"
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

std::string common_name(X509* certificate) {
    const X509_NAME* subject = X509_get_subject_name(certificate);
    const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0) return {};
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, value);
    if (size < 0) return {};
    std::string name(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
    return name;
}

}  // namespace

struct Engine::State {
    Ends ends;
    SslPtr ssl;
    bool peer_closed = false;
    bool verifies = false;

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

Result<Engine> Engine::make(void* native_context, bool is_server) {
    auto state = std::make_unique<State>();
    state->ssl.reset(SSL_new(static_cast<SSL_CTX*>(native_context)));
    BIO* bio = state->ssl ? BIO_new(bio_method()) : nullptr;
    if (!bio) return openssl_error("TLS connection", Errc::temporary);
    BIO_set_data(bio, &state->ends);
    SSL_set_bio(state->ssl.get(), bio, bio);  // takes the one reference for both directions
    is_server ? SSL_set_accept_state(state->ssl.get()) : SSL_set_connect_state(state->ssl.get());
    return Engine(std::move(state));
}

Result<Engine> Engine::server(const ServerContext& context) {
    return make(context.state_->ctx.get(), true);
}

Result<Engine> Engine::client(const ClientContext& context, const std::string& hostname) {
    TRY_ASSIGN(Engine engine, make(context.state_->ctx.get(), false));
    SSL* ssl = engine.state_->ssl.get();
    engine.state_->verifies = context.state_->verify;
    if (hostname.empty()) return engine;
    bool set = true;
    if (IpAddress::parse(hostname)) {  // RFC 6066 3: no literal addresses in SNI
        set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), hostname.c_str()) == 1;
    } else {
        // The macro SSL_set_tlsext_host_name, without its C cast.
        set = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                       const_cast<char*>(hostname.c_str())) == 1;
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        set = set && SSL_set1_host(ssl, hostname.c_str()) == 1;
    }
    if (!set) return openssl_error(hostname, Errc::invalid);
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

Info Engine::info() const {
    SSL* ssl = state_->ssl.get();
    Info info;
    info.protocol = SSL_get_version(ssl);
    const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl);
    if (cipher) info.cipher_bits = SSL_CIPHER_get_bits(cipher, &info.algorithm_bits);
    info.cipher = cipher ? SSL_CIPHER_get_name(cipher) : "";
    info.resumed = SSL_session_reused(ssl) == 1;
    X509* certificate = SSL_get0_peer_certificate(ssl);
    if (!certificate) return info;
    info.peer_certificate = true;
    info.peer_name = common_name(certificate);
    const long verified = SSL_get_verify_result(ssl);
    info.peer_verified = verified == X509_V_OK;
    if (!info.peer_verified) info.verify_error = X509_verify_cert_error_string(verified);
    return info;
}

}  // namespace postern::tls
