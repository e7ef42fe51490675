// ServerContext and ClientContext: certificates, keys, protocol versions, ciphers and trust, set up
// once per process (before the jail: nothing is read later) and shared by its connections.
#pragma once

#include <memory>
#include <string>

#include "lib/base/result.h"

namespace postern::tls {

enum class Version : unsigned char { tls1_0, tls1_1, tls1_2, tls1_3 };

struct ServerOptions {
    std::string certificate_pem;  // chain, leaf first
    std::string key_pem;          // may be the same text as certificate_pem
    Version minimum = Version::tls1_2;
    Version maximum = Version::tls1_3;
    std::string ciphers;  // OpenSSL cipher list for TLS 1.2 and older; empty: a good default
    bool ask_client_certificate = false;
};

struct ClientOptions {
    bool verify = false;          // a peer that cannot be verified fails the handshake
    std::string trusted_ca_file;  // with both empty: the system's certificates
    std::string trusted_ca_path;
    Version minimum = Version::tls1_2;
    Version maximum = Version::tls1_3;
    std::string ciphers;
    std::string certificate_pem;  // our own, if any
    std::string key_pem;
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

// "TLSv1.2", ">=TLSv1.2", "!SSLv2, !SSLv3, !TLSv1" (Postfix's smtpd_tls_protocols) -> the minimum
// and maximum that it allows; Errc::invalid for unknown words or an empty range.
struct VersionRange {
    Version minimum = Version::tls1_2;
    Version maximum = Version::tls1_3;
};
Result<VersionRange> parse_versions(std::string_view text);

}  // namespace postern::tls
