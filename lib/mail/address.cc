// The envelope's address grammar, see address.h. Hand-written and linear in the length of the text.
#include "lib/mail/address.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"

namespace postern::mail {
namespace {

constexpr std::size_t kStrictLocalPart = 64;  // RFC 5321 4.5.3.1.1
constexpr std::size_t kStrictPath = 254;      // RFC 5321 4.5.3.1.3, less the brackets
constexpr std::string_view kIpv6Tag = "IPv6:";

Error bad(std::string_view what) { return Error{Errc::invalid, std::string(what)}; }

bool is_8bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }

// RFC 5322 3.2.3
bool is_atext(char c) {
    return is_alnum(c) || is_8bit(c) ||
           std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

// A local part that may stand without quotes: atoms between single dots.
bool is_dot_string(std::string_view local) {
    if (local.empty() || local.front() == '.' || local.back() == '.') return false;
    char before = 'a';
    for (char c : local) {
        if (c == '.' ? before == '.' : !is_atext(c)) return false;
        before = c;
    }
    return true;
}

bool allowed_bytes(std::string_view text, const AddressRules& rules) {
    if (is_ascii(text)) return true;
    return rules.raw_local || (rules.smtputf8 && is_utf8(text));
}

// Reads a local part from the front of text, unquoted; leaves what follows it.
Result<std::string> take_local(std::string_view& text, const AddressRules& rules) {
    std::string local;
    bool quoted = false;
    std::size_t i = 0;
    while (i < text.size() && (quoted || is_atext(text[i]) || text[i] == '.' || text[i] == '"')) {
        char c = text[i++];
        if (c == '"') {
            // Strictly the quotes are around the whole; otherwise words of both kinds may mix.
            const bool at_edge = quoted || i == 1;
            if (rules.strict && !at_edge) return bad("quote inside an atom");
            quoted = !quoted;
            if (rules.strict && !quoted && i < text.size() && text[i] != '@')
                return bad("text after quotes");
            continue;
        }
        if (quoted && c == '\\') {
            if (i == text.size()) return bad("unfinished quoted pair");
            c = text[i++];
        }
        if (is_control(c)) return bad("control character in local part");
        local.push_back(c);
    }
    if (quoted) return bad("unfinished quoted string");
    const bool was_quoted = i > 0 && text[0] == '"';
    if (rules.strict && !was_quoted && !is_dot_string(local))
        return bad("misplaced dot in local part");
    text.remove_prefix(i);
    return local;
}

bool is_label(std::string_view label, const AddressRules& rules) {
    if (label.empty() || label.size() > kMaxLabel) return false;
    if (label.front() == '-' || label.back() == '-') return false;
    return std::all_of(label.begin(), label.end(), [&](char c) {
        return is_alnum(c) || c == '-' || (c == '_' && !rules.strict);
    });
}

// "@one,@two:" of a source route. RFC 5321 4.1.1.3: SHOULD be ignored.
Result<std::string_view> skip_route(std::string_view text) {
    if (!text.starts_with('@')) return text;
    const auto colon = text.find(':');
    if (colon == text.npos) return bad("unfinished source route");
    for (auto hop : split(text.substr(0, colon), ',')) {
        if (!hop.starts_with('@') || !Domain::parse(hop.substr(1))) return bad("bad source route");
    }
    return text.substr(colon + 1);
}

}  // namespace

bool is_host_name(std::string_view text) {
    if (text.empty() || text.size() > kMaxDomain) return false;
    if (text.find_first_not_of("0123456789.") == text.npos) return false;
    for (const auto label : split(text, '.')) {
        const auto fits = [](char c) { return is_alnum(c) || c == '-' || c == '_'; };
        if (label.empty() || label.size() > 63 || !std::all_of(label.begin(), label.end(), fits) ||
            label.front() == '-' || label.back() == '-')
            return false;
    }
    return true;
}

Result<Domain> Domain::parse(std::string_view text, const AddressRules& rules) {
    Domain domain;
    if (text.empty() || text.size() > kMaxDomain) return bad("domain is empty or too long");
    domain.text_ = text;
    if (text.front() == '[') {
        if (text.back() != ']') return bad("unfinished address literal");
        auto inner = text.substr(1, text.size() - 2);
        const bool v6 = istarts_with(inner, kIpv6Tag);  // RFC 5321 4.1.3
        if (v6) inner.remove_prefix(kIpv6Tag.size());
        domain.literal_ = IpAddress::parse(inner);
        if (!domain.literal_ || domain.literal_->is_v6() != v6) return bad("bad address literal");
        return domain;
    }
    if (!is_ascii(text) && !rules.smtputf8) return bad("8-bit character in domain");
    // RFC 6531 3.3: U-labels must have an A-label form, whose labels keep to the rules.
    TRY_ASSIGN(const std::string ascii, domain_to_ascii(text));
    for (auto label : split(ascii, '.')) {
        if (!is_label(label, rules)) return bad("bad domain name");
    }
    return domain;
}

bool Domain::operator==(const Domain& other) const { return iequals(text_, other.text_); }

Result<Address> Address::make(std::string_view local, const Domain& domain,
                              const AddressRules& rules) {
    if (local.empty()) return bad("no local part");
    if (local.size() > (rules.strict ? kStrictLocalPart : kMaxLocalPart))
        return bad("local part too long");
    if (domain.empty() && !rules.bare_local) return bad("no domain");
    if (!allowed_bytes(local, rules)) return bad("8-bit character in local part");
    if (std::any_of(local.begin(), local.end(), is_control))
        return bad("control character in local part");
    Address address;
    address.local_ = local;
    address.domain_ = domain;
    return address;
}

Result<Address> Address::parse(std::string_view text, const AddressRules& rules) {
    if (text.empty()) return Address();
    if (rules.strict && text.size() > kStrictPath) return bad("address too long");
    TRY_ASSIGN(const std::string local, take_local(text, rules));
    if (text.empty()) return make(local, Domain(), rules);
    if (text.front() != '@') return bad("unexpected character in local part");
    TRY_ASSIGN(const Domain domain, Domain::parse(text.substr(1), rules));
    return make(local, domain, rules);
}

bool Address::is_ascii() const {
    return postern::is_ascii(local_) && postern::is_ascii(domain_.str());
}

std::string Address::str() const {
    if (is_null()) return {};
    std::string text;
    if (is_dot_string(local_)) {
        text = local_;
    } else {
        text.push_back('"');
        for (char c : local_) {
            if (c == '"' || c == '\\') text.push_back('\\');
            text.push_back(c);
        }
        text.push_back('"');
    }
    if (!domain_.empty()) text += "@" + domain_.str();
    return text;
}

Result<Path> parse_path(std::string_view text, const AddressRules& rules) {
    Path path;
    if (!text.starts_with('<')) {
        if (rules.strict || text.empty()) return bad("no angle bracket");
        // Without brackets the address ends at a space outside quotes.
        bool quoted = false;
        std::size_t end = 0;
        for (; end < text.size() && (quoted || text[end] != ' '); ++end) {
            if (text[end] == '"') quoted = !quoted;
            if (text[end] == '\\') ++end;
        }
        end = std::min(end, text.size());
        TRY_ASSIGN(path.address, Address::parse(text.substr(0, end), rules));
        path.rest = text.substr(end);
        return path;
    }
    TRY_ASSIGN(text, skip_route(text.substr(1)));
    bool quoted = false;
    std::size_t end = 0;
    for (; end < text.size() && (quoted || text[end] != '>'); ++end) {
        if (text[end] == '"') quoted = !quoted;
        if (quoted && text[end] == '\\') ++end;
    }
    if (end >= text.size()) return bad("no closing angle bracket");
    TRY_ASSIGN(path.address, Address::parse(text.substr(0, end), rules));
    path.rest = text.substr(end + 1);
    if (!path.rest.empty() && path.rest.front() != ' ') return bad("text after the path");
    return path;
}

}  // namespace postern::mail
