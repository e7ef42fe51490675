// ServerContext and ClientContext: certificates, keys, protocol versions, ciphers and trust, set up
// once per process (before the jail: nothing is read later) and shared by its connections.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/lookup.h"
#include "lib/base/result.h"

namespace postern::tls {

enum class Version : unsigned char { tls1_0, tls1_1, tls1_2, tls1_3 };

// One certificate chain, leaf first, with its key; both may be the same text.
struct Identity {
    std::string certificate_pem;
    std::string key_pem;
};

// What both sides have in common.
struct CommonOptions {
    std::string certificate_pem;            // chain, leaf first; a client may have none
    std::string key_pem;                    // may be the same text as certificate_pem
    std::vector<Identity> more_identities;  // of other key types (RSA besides ECDSA)
    Version minimum = Version::tls1_2;
    Version maximum = Version::tls1_3;
    std::string ciphers;  // OpenSSL cipher list for TLS 1.2 and older; empty: a good default
    std::string groups;   // key exchange, "X25519:prime256v1"; empty: OpenSSL's own
    std::vector<std::string> ssl_options;  // Postfix's tls_ssl_options: "no_ticket", "0x1000"...
    std::string trusted_ca_file;           // with both empty: a client believes the system's
    std::string trusted_ca_path;           // certificates, a server none
    bool append_default_ca = false;        // the system's, too
    int verify_depth = 9;
    // The digest of Info::peer_fingerprints ("sha256"); empty: not computed.
    std::string fingerprint_digest;
};

struct ServerOptions : CommonOptions {
    // Certificates for one name of the server (RFC 6066 3), which the client asks for: PEM text,
    // keys and chains in any order. Nothing: the usual ones; a failure ends the handshake. Asked
    // during handshakes, with names in lower case; must be quick. What it gives has passed
    // check_identity().
    std::function<Lookup<std::string>(const std::string& name)> identity_for;
    bool ask_client_certificate = false;
    bool server_preference = true;  // of ciphers
    std::chrono::seconds session_lifetime{3600};
};

struct ClientOptions : CommonOptions {
    bool verify = false;     // a peer that cannot be verified fails the handshake
    bool check_name = true;  // verification includes the host name given to Engine::client
};

class ServerContext {
  public:
    // Errc::invalid names what is wrong with certificate or key.
    static Result<ServerContext> make(const ServerOptions& options);
    ServerContext(ServerContext&&) noexcept;
    ServerContext& operator=(ServerContext&&) noexcept;
    ~ServerContext();

  private:
    friend class Engine;
    struct State;
    explicit ServerContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

class ClientContext {
  public:
    static Result<ClientContext> make(const ClientOptions& options);
    ClientContext(ClientContext&&) noexcept;
    ClientContext& operator=(ClientContext&&) noexcept;
    ~ClientContext();

  private:
    friend class Engine;
    struct State;
    explicit ClientContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Whether a PEM text is what identity_for may give: keys, each with its certificate.
Result<void> check_identity(const std::string& pem);

// OpenSSL's own configuration (Postfix's tls_config_file, tls_config_name): "default", "none" or a
// file; and the section of it, empty: the usual one. To be called before anything else of OpenSSL.
Result<void> load_configuration(const std::string& file, const std::string& section);

// "TLSv1.2", ">=TLSv1.2", "!SSLv2, !SSLv3, !TLSv1" (Postfix's smtpd_tls_protocols) -> the minimum
// and maximum that it allows; Errc::invalid for unknown words or an empty range.
struct VersionRange {
    Version minimum = Version::tls1_2;
    Version maximum = Version::tls1_3;
};
Result<VersionRange> parse_versions(std::string_view text);

// A cipher list of Postfix's making: the list of a grade and what is excluded from it
// ("aNULL", "RC4", "DES+MD5"). An empty list is a good default.
std::string cipher_list(std::string_view grade_list, const std::vector<std::string>& excluded);

}  // namespace postern::tls
