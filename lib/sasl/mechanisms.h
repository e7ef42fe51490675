// Mechanisms: which ones a service offers to a client: those of the parameter auth_mechanisms, as
// far as the client's connection allows. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::sasl {

struct Mechanism {
    std::string_view name;  // upper case
    // In the words of Dovecot's protocol (dovecot_client.h), which smtpd_sasl_security_options
    // speaks of: "plaintext dictionary active mutual-auth".
    std::string_view traits;
    bool secret_in_clear = false;  // what the client sends could be used again: wants TLS
    bool needs_binding = false;
    bool needs_certificate = false;
};

// What of a connection matters here. Without TLS: nothing.
struct Security {
    bool channel_binding = false;
    bool certificate = false;  // the client has shown one that is trusted and names a user
};

class Mechanisms {
  public:
    Mechanisms();  // PLAIN and LOGIN
    // Names in any case; what is no mechanism of ours goes to `unknown`. SCRAM brings its -PLUS
    // with it.
    static Mechanisms parse(const std::vector<std::string>& names,
                            std::vector<std::string>& unknown);

    // Strongest first where that is the order of the list; -PLUS before its plain form.
    // `in_clear`: what others on the wire could use again may be sent.
    std::vector<std::string_view> offered(bool in_clear, const Security& security) const;
    bool offers(std::string_view name, bool in_clear, const Security& security) const;
    // PLAIN or LOGIN: passwords may be given in a protocol's own way, too (IMAP's LOGIN, USER).
    bool has_passwords() const;
    // Channel binding is among them; certificates of clients.
    bool binds() const;
    bool wants_certificates() const;
    const std::vector<const Mechanism*>& all() const { return list_; }

  private:
    std::vector<const Mechanism*> list_;
};

// All that there are.
std::vector<std::string_view> known_mechanisms();

}  // namespace postern::sasl
