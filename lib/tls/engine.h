// Engine: one TLS connection as a machine without I/O. Encrypted bytes from the peer go in,
// plaintext comes out; plaintext goes in, encrypted bytes for the peer come out. loop::Stream and
// net::Stream drive it; a test can connect two engines with two strings. It keeps no buffer of its
// own while a connection idles.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::tls {

class ServerContext;
class ClientContext;

// What is known once the handshake is done; for logs, Received: and policy.
struct Info {
    std::string protocol;  // "TLSv1.3"
    std::string cipher;    // "TLS_AES_256_GCM_SHA384"
    int cipher_bits = 0;   // secret bits used
    int algorithm_bits = 0;
    bool resumed = false;
    bool peer_certificate = false;  // the peer showed one
    bool peer_verified = false;     // and it is trusted and names the host that was asked for
    std::string peer_name;          // common name of its subject; may be empty
    std::string verify_error;       // why it is not trusted; empty when it is or nothing was shown
    std::string issuer_name;        // common name of who signed it
    // The names it is for: its DNS names, or the common name when it has none (RFC 6125 6.4.4).
    std::vector<std::string> peer_names;
    // The mail addresses that it names: rfc822Name, or else emailAddress in its subject.
    std::vector<std::string> peer_emails;
    // Of certificate and of public key, "AB:CD:…"; with CommonOptions::fingerprint_digest only.
    std::vector<std::string> peer_fingerprints;
    std::string key_details;  // " key-exchange X25519 server-signature ECDSA (P-256) …"; TLS 1.3

    // As Postfix's logs have it: "TLSv1.3 with cipher X (256/256 bits) key-exchange …".
    std::string describe() const;
};

// What a peer must be by DANE, or by authorities of our own choice (trust_anchors) and no others:
// then base and names are empty, and names are the caller's business (RFC 6698, RFC 7672): TLSA
// records (RFC 6698 2.1: usage, selector, matching type, data), the name that they were found
// under, and others that count where a record names an authority.
struct Dane {
    std::vector<std::string> records;
    std::string base;
    std::vector<std::string> names;
};
// Certificates and public keys of authorities, in PEM, as such records. Errc::invalid when the text
// has none, or one that cannot be read.
Result<std::vector<std::string>> trust_anchors(const std::string& pem);
// Whether a record is one that DANE for SMTP knows (RFC 7672 3.1: DANE-TA and DANE-EE) with a
// digest that is allowed ("sha256", "sha512").
bool is_usable_tlsa(std::string_view record, const std::vector<std::string>& digests);

// What both ends know of this connection and nobody else can have in common with either, for SASL
// (RFC 5056). Empty: this connection has no such.
struct ChannelBindings {
    std::string exporter;          // tls-exporter, RFC 9266
    std::string unique;            // tls-unique, RFC 5929 3: up to TLS 1.2
    std::string server_end_point;  // tls-server-end-point, RFC 5929 4
    bool any() const { return !exporter.empty() || !unique.empty() || !server_end_point.empty(); }
};

class Engine {
  public:
    // A connection that we accepted. Errc::temporary when OpenSSL has no memory.
    static Result<Engine> server(const ServerContext& context);
    // A connection that we opened. hostname is sent as SNI (unless it is empty or an address) and,
    // if the context verifies, must be named by the certificate.
    // With dane, whether it is who it must be is in Info::peer_verified, and SNI is dane->base, if
    // there is one.
    static Result<Engine> client(const ClientContext& context, const std::string& hostname,
                                 const Dane* dane = nullptr);

    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;
    ~Engine();

    // Client: appends the first flight to out. A server has nothing to say before it is fed.
    Result<void> start(std::string& out);
    // Takes all of `encrypted`; appends what it decrypts to plain and what the peer must be sent to
    // out (also upon an error: the alert). After an error the connection is of no use.
    Result<void> feed(std::string_view encrypted, std::string& plain, std::string& out);
    // Encrypts. Precondition: established() and not closed by us.
    Result<void> write(std::string_view plain, std::string& out);
    // Appends our close_notify; nothing more may be written.
    void close(std::string& out);

    bool established() const;  // the handshake is done
    bool peer_closed() const;  // the peer sent close_notify: an end that nobody cut short
    Info info() const;         // meaningful once established()
    ChannelBindings channel_bindings() const;  // likewise

  private:
    struct State;
    explicit Engine(std::unique_ptr<State> state);
    static Result<Engine> make(void* native_context, bool is_server, const void* digest);

    std::unique_ptr<State> state_;
};

}  // namespace postern::tls
