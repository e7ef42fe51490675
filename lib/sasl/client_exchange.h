// ClientExchange: the client's half of a SASL conversation, for the forwarder that logs in to a
// relay host: PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195). Pure; base64 is the caller's (the
// protocol's framing). A challenge that makes no sense ends the conversation with an error, and no
// password is ever sent for it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::sasl {

// What smtp_sasl_security_options forbids.
struct ClientPolicy {
    bool plaintext = true;    // PLAIN and LOGIN may be used
    bool anonymous = false;   // none of our mechanisms is
    bool needs_more = false;  // an option that none of our mechanisms fulfils (mutual_auth…)
    bool authzid = false;     // PLAIN says whom we act for, too: ourselves (RFC 4616 2)

    // Errc::invalid names the word that is unknown.
    static Result<ClientPolicy> parse(const std::vector<std::string>& options);
};

class ClientExchange {
  public:
    // The best mechanism of those offered. Errc::not_found when there is none that we know and may
    // use.
    static Result<ClientExchange> start(const std::vector<std::string>& offered,
                                        const ClientPolicy& policy, std::string user,
                                        std::string password);

    const std::string& mechanism() const { return mechanism_; }
    // What may be sent together with the mechanism's name; nothing: the server speaks first.
    std::optional<std::string> initial_response();
    // The answer to a challenge. Errc::invalid when the server asks for more than there is to say.
    Result<std::string> respond(std::string_view challenge);

  private:
    ClientExchange(std::string_view mechanism, std::string user, std::string password, bool authzid)
        : mechanism_(mechanism),
          user_(std::move(user)),
          password_(std::move(password)),
          authzid_(authzid) {}
    std::string plain_response() const;

    std::string mechanism_, user_, password_;
    bool authzid_;
    int step_ = 0;
};

}  // namespace postern::sasl
