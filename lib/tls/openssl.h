// What the sources of this library share: owners for OpenSSL's objects and its error queue as an
// Error.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/tls/context.h"
#include "lib/tls/engine.h"

namespace postern::tls {

template <auto free_function>
struct Freed {
    template <class T>
    void operator()(T* object) const {
        free_function(object);
    }
};

using SslPtr = std::unique_ptr<SSL, Freed<SSL_free>>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

// Takes the oldest error off OpenSSL's queue and empties it: "doing: reason".
Error openssl_error(std::string_view doing, Errc code);

// All keys of a PEM text, each with the certificates for it: its own first, then those behind that
// one. At least one; Errc::invalid otherwise.
struct KeyedChain {
    KeyPtr key;
    std::vector<X509Ptr> chain;
};
Result<std::vector<KeyedChain>> parse_chains(const std::string& pem);
// Presents them in this connection instead of those of its context.
Result<void> present(SSL* ssl, const std::vector<KeyedChain>& chains);

// Of a connection whose handshake is done.
ChannelBindings channel_bindings_of(SSL* ssl);

struct ServerContext::State {
    SslCtxPtr ctx;
    std::function<Lookup<std::string>(const std::string& name)> identity_for;
    // OpenSSL's callback for it; `context` is a State.
    static int on_server_name(SSL* ssl, int* alert, void* context) noexcept;
    const EVP_MD* fingerprint_digest = nullptr;
};
struct ClientContext::State {
    SslCtxPtr ctx;
    bool verify = false;
    bool check_name = true;
    const EVP_MD* fingerprint_digest = nullptr;
};

}  // namespace postern::tls
