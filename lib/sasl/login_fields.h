// What the extra fields of a passwd-file entry, which are Dovecot's, say about logins. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace postern::sasl {

// allow_nets: from where a user may log in.
class LoginNetworks {
  public:
    // Of an entry's extra field: "allow_nets=10.0.0.0/8,2001:db8::1,local". As with Dovecot host
    // bits do not matter, and each of several allow_nets must hold. Errc::invalid names what is no
    // network.
    static Result<LoginNetworks> of(std::string_view extra);

    // Everywhere without allow_nets. An empty address is a client that has none: "local".
    bool allow(std::string_view address) const;

  private:
    struct List {
        std::vector<IpNetwork> networks;
        bool local = false;
    };
    static Result<List> parse(std::string_view text);
    static bool has(const List& list, std::string_view address);
    std::vector<List> lists_;
};

// Errc::invalid where the entry has a field by which Dovecot would refuse logins that we do not, or
// have them served elsewhere or as somebody else.
Result<void> check_login_fields(std::string_view extra);

// The names of fields that are nothing here and change nothing.
std::vector<std::string_view> fields_without_effect(std::string_view extra);

}  // namespace postern::sasl
