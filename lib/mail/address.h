// Address and Domain: what the SMTP envelope carries (RFC 5321 4.1.2), parsed once at the edge into
// types that cannot hold nonsense. For address lists in headers see address_list.h.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace postern::mail {

// RFC 5321 4.5.3.1 asks for 64, 255 and 256; long VERP and SRS local parts are real, so we take
// more unless AddressRules::strict.
inline constexpr std::size_t kMaxLocalPart = 256;
inline constexpr std::size_t kMaxDomain = 255;
inline constexpr std::size_t kMaxLabel = 63;

struct AddressRules {
    bool smtputf8 = false;    // RFC 6531 3.3: UTF-8 in local part and domain
    bool raw_local = false;   // any 8-bit bytes in the local part, as before RFC 6531 in practice
    bool bare_local = false;  // "user" without a domain is an address
    bool strict = false;      // RFC 5321's own grammar and lengths to the letter
};

// A domain name in presentation form, or an address literal "[192.0.2.1]", "[IPv6:2001:db8::1]".
class Domain {
  public:
    Domain() = default;  // none
    // Errc::invalid for anything else: empty or long labels, hyphens at the edge, odd characters, a
    // name in UTF-8 that has no ASCII form (lib/base/unicode.h). It stays as it was written.
    static Result<Domain> parse(std::string_view text, const AddressRules& rules = {});

    const std::string& str() const { return text_; }  // as written
    bool empty() const { return text_.empty(); }
    const std::optional<IpAddress>& literal() const { return literal_; }
    bool operator==(const Domain& other) const;  // without regard to case

  private:
    std::string text_;
    std::optional<IpAddress> literal_;
};

// A mailbox, or the null address "<>" of notifications. The local part is kept without quotes;
// str() adds them where the grammar wants them.
class Address {
  public:
    Address() = default;  // the null address
    // "local@domain" as in str(): quoted strings allowed, no angle brackets, no comments. "" is
    // null.
    static Result<Address> parse(std::string_view text, const AddressRules& rules = {});
    // From its parts; local is taken as it is (unquoted).
    static Result<Address> make(std::string_view local, const Domain& domain,
                                const AddressRules& rules = {});

    bool is_null() const { return local_.empty() && domain_.empty(); }
    const std::string& local() const { return local_; }
    const Domain& domain() const { return domain_; }  // empty for a bare local part
    bool is_ascii() const;
    // The form for the wire, for IPC, queue files and logs: "first.last@example.test",
    // "\"two words\"@example.test", "".
    std::string str() const;
    bool operator==(const Address& other) const = default;

  private:
    std::string local_;
    Domain domain_;
};

// The path of MAIL or RCPT: "<local@domain>" with an optional source route, which is ignored
// (RFC 5321 4.1.1.3), or, unless strict, the address without brackets.
struct Path {
    Address address;
    std::string_view rest;  // what follows the path in the text: the parameters, still with spaces
};
Result<Path> parse_path(std::string_view text, const AddressRules& rules = {});

// A host name as HELO, ETRN and XCLIENT give it, by Postfix's rules: labels of 1 to 63 letters,
// digits, underscores and, inside, hyphens; not only digits.
bool is_host_name(std::string_view text);

}  // namespace postern::mail
