// SCRAM-SHA-1 and SCRAM-SHA-256, the server's half (RFC 5802, RFC 7677), with and without channel
// binding. The server keeps no password: what it stores proves that a client knows it, and cannot
// log in anywhere. Pure: messages in, messages out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/crypto/digest.h"

namespace postern::sasl {

// "SCRAM-SHA-256-PLUS" -> its digest, and whether it binds to a channel. Nothing for other names.
struct ScramKind {
    crypto::Digest digest = crypto::Digest::sha256;
    bool plus = false;
};
std::optional<ScramKind> scram_kind(std::string_view mechanism);

// What is stored for a user, RFC 5802 3.
struct ScramSecret {
    unsigned iterations = 0;
    std::string salt;
    std::string stored_key;
    std::string server_key;
};

inline constexpr unsigned kScramIterations = 4096;  // RFC 7677 4: the least
inline constexpr unsigned kMaxScramIterations = 10'000'000;
inline constexpr std::size_t kScramSaltSize = 16;

// "iterations,salt,StoredKey,ServerKey", the last three in base64, as Dovecot stores it behind
// "{SCRAM-SHA-256}". Errc::invalid says what is wrong.
Result<ScramSecret> parse_scram(crypto::Digest digest, std::string_view text);
std::string format_scram(const ScramSecret& secret);

// Slow by design. The password is prepared (RFC 4013) where that is possible, and taken as it is
// where not. Precondition: iterations > 0.
ScramSecret derive_scram(crypto::Digest digest, std::string_view password, std::string_view salt,
                         unsigned iterations);
bool fits_scram(crypto::Digest digest, const ScramSecret& secret, std::string_view password);

// What ties an exchange to the TLS connection that it runs in: RFC 5929, RFC 9266. Empty: this
// connection has no such.
struct ChannelBindings {
    std::string unique, exporter, server_end_point;
};

// RFC 5802 5.1: a name in a message. Nothing: malformed, or no user's name.
std::optional<std::string> decode_saslname(std::string_view text);

class ScramServer {
  public:
    // `plus_offered`: a mechanism with channel binding was offered to this client, so one that
    // could bind and says that we could not has been lied to (RFC 5802 6). `nonce`: our part of it,
    // printable and without a comma.
    ScramServer(ScramKind kind, ChannelBindings bindings, bool plus_offered, std::string nonce)
        : kind_(kind),
          bindings_(std::move(bindings)),
          plus_offered_(plus_offered),
          nonce_(std::move(nonce)) {}

    // The client's first message: who it wants to be. Errc::invalid says why it is refused.
    struct First {
        std::string user;           // decoded
        std::string authorization;  // whom to act as; empty: the same
    };
    Result<First> first(std::string_view message);
    // Our first message. Precondition: first() succeeded.
    std::string challenge(const ScramSecret& secret);
    // The client's last message, which is answered with the result: that is our proof.
    // Errc::denied: the password was another one; Errc::invalid: malformed, or bound to another
    // channel.
    Result<std::string> last(std::string_view message) const;

  private:
    Result<void> choose_binding(std::string_view flag);

    ScramKind kind_;
    ChannelBindings bindings_;
    bool plus_offered_;
    std::string nonce_;       // after first(): the client's and ours
    std::string gs2_header_;  // as the client sent it
    std::string bound_data_;  // what the client must have sent behind it
    std::string first_bare_;  // parts of AuthMessage
    std::string server_first_;
    std::string stored_key_, server_key_;
};

}  // namespace postern::sasl
