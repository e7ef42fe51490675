#include "lib/table/address_lookup.h"

#include "lib/base/strings.h"

namespace postern::table {
namespace {

using Keys = std::vector<AddressKey>;

void add(Keys& keys, std::string key, KeyKind kind, std::string extension = {}) {
    keys.push_back({std::move(key), kind, std::move(extension)});
}

// The parents of a.b.c: b.c and c, with a leading dot unless `plain`.
void add_parents(Keys& keys, std::string_view domain, bool plain) {
    for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.')) {
        add(keys, std::string(domain.substr(plain ? dot + 1 : dot)), KeyKind::part);
        domain.remove_prefix(dot + 1);
    }
}

// "user+ext@domain" and, without the extension, "user@domain".
void add_addresses(Keys& keys, const AddressParts& parts, const std::optional<LocalParts>& split,
                   KeyKind stripped) {
    const std::string at = parts.domain.empty() ? "" : "@" + parts.domain;
    add(keys, parts.local + at, KeyKind::whole);
    if (split) add(keys, split->user + at, stripped, split->extension);
}

// RFC 5321 4.1.1.3: "@relay,@relay:user@host" is user@host.
std::string_view without_route(std::string_view address) {
    const auto colon = address.find(':');
    const bool routed =
        address.starts_with('@') && colon != std::string_view::npos && colon + 1 < address.size();
    return routed ? address.substr(colon + 1) : address;
}

// For an address without '@'. What needs quotes is a user's name, whatever characters it has.
void add_domain(std::string& out, const Completion& completion) {
    const bool plain = out.find_first_of(" \t\"\\()<>,;:[]") == std::string::npos;
    const auto bang = out.find('!');
    const auto percent = out.rfind('%');
    if (completion.swap_bangpath && plain && bang != std::string::npos && bang > 0 &&
        bang + 1 < out.size()) {
        out = cat({std::string_view(out).substr(bang + 1), "@", out.substr(0, bang)});
    } else if (completion.percent_hack && plain && percent != std::string::npos && percent > 0 &&
               percent + 1 < out.size()) {
        out[percent] = '@';
    } else if (completion.at_myorigin && !completion.myorigin.empty()) {
        out += "@" + completion.myorigin;
    }
}

}  // namespace

AddressParts split_address(std::string_view address) {
    const auto at = address.rfind('@');
    if (at == std::string_view::npos) return {std::string(address), {}};
    return {std::string(address.substr(0, at)), std::string(address.substr(at + 1))};
}

std::string complete_address(std::string_view address, const Completion& completion) {
    std::string out(without_route(address));
    if (out.empty()) return out;
    if (out.size() > 1 && out.back() == '@') return out += completion.null_domain;
    if (out.find('@') == std::string::npos) add_domain(out, completion);
    const auto at = out.rfind('@');
    if (at == std::string::npos) return out;
    const auto domain = std::string_view(out).substr(at + 1);
    if (completion.dot_mydomain && !domain.empty() && domain.front() != '[' &&
        domain.find('.') == std::string_view::npos && !completion.mydomain.empty()) {
        out += '.';
        out += completion.mydomain;
    }
    if (out.size() > at + 2 && out.back() == '.' && out[out.size() - 2] != '.') out.pop_back();
    return out;
}

std::optional<LocalParts> split_extension(std::string_view local, std::string_view delimiters) {
    if (delimiters.empty()) return std::nullopt;
    if (iequals(local, "mailer-daemon") || iequals(local, "double-bounce")) return std::nullopt;
    if (delimiters.find('-') != std::string_view::npos &&
        (istarts_with(local, "owner-") || iends_with(local, "-request"))) {
        return std::nullopt;
    }
    const auto at = local.find_first_of(delimiters, 1);
    if (at == std::string_view::npos) return std::nullopt;
    return LocalParts{std::string(local.substr(0, at)), std::string(local.substr(at))};
}

Keys rewrite_keys(std::string_view address, std::string_view delimiters, bool domain_is_local) {
    Keys keys;
    const auto parts = split_address(address);
    const auto split = split_extension(parts.local, delimiters);
    add_addresses(keys, parts, split, KeyKind::part);
    if (parts.domain.empty()) return keys;
    if (domain_is_local) {
        add(keys, parts.local, KeyKind::part);
        if (split) add(keys, split->user, KeyKind::part, split->extension);
    }
    add(keys, "@" + parts.domain, KeyKind::part, split ? split->extension : std::string());
    return keys;
}

Keys mailbox_keys(std::string_view address, std::string_view delimiters) {
    return rewrite_keys(address, delimiters, false);
}

Keys transport_keys(std::string_view address, std::string_view delimiters, bool parents_plain) {
    Keys keys;
    const auto parts = split_address(address);
    add_addresses(keys, parts, split_extension(parts.local, delimiters), KeyKind::part);
    if (!parts.domain.empty()) {
        add(keys, parts.domain, KeyKind::part);
        add_parents(keys, parts.domain, parents_plain);
    }
    add(keys, "*", KeyKind::part);
    return keys;
}

Keys access_keys(std::string_view address, std::string_view delimiters, bool parents_plain) {
    Keys keys;
    const auto parts = split_address(address);
    const auto split = split_extension(parts.local, delimiters);
    add_addresses(keys, parts, split, KeyKind::part);
    if (parts.domain.empty()) return keys;
    add(keys, parts.domain, KeyKind::part);
    add_parents(keys, parts.domain, parents_plain);
    add(keys, parts.local + "@", KeyKind::part);
    if (split) add(keys, split->user + "@", KeyKind::part, split->extension);
    return keys;
}

Keys domain_keys(std::string_view domain, bool parents_plain) {
    Keys keys;
    add(keys, std::string(domain), KeyKind::whole);
    add_parents(keys, domain, parents_plain);
    return keys;
}

Keys client_address_keys(std::string_view address) {
    Keys keys;
    add(keys, std::string(address), KeyKind::whole);
    const char separator = address.find(':') == std::string_view::npos ? '.' : ':';
    for (auto at = address.rfind(separator); at != std::string_view::npos;
         at = address.rfind(separator)) {
        address = address.substr(0, at);
        if (!address.empty() && address.back() != separator) {
            add(keys, std::string(address), KeyKind::part);
        }
    }
    return keys;
}

Lookup<AddressMatch> find_first(Maps& maps, const Keys& keys) {
    for (const auto& key : keys) {
        auto found = maps.find(key.key, key.kind);
        if (found.failed()) return std::move(found).error();
        if (found.found())
            return AddressMatch{std::move(found).value(), key.key, key.unmatched_extension};
    }
    return NotFound{};
}

}  // namespace postern::table
