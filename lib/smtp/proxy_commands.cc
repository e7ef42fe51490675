// XCLIENT and XFORWARD, see proxy_commands.h. Reply texts are Postfix's.
#include "lib/smtp/proxy_commands.h"

#include <algorithm>

#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/mail/address.h"
#include "lib/mail/xtext.h"

namespace postern::smtp {
namespace {

constexpr std::size_t kMaxValue = 255;
constexpr std::size_t kMaxProtocol = 64;
constexpr std::string_view kUnknown = "unknown";

struct Attribute {
    std::string name, value;  // upper case; decoded
    bool available = true;
};

ArgumentError bad(std::string_view what, std::string_view value) {
    return {501, "5.5.4", cat({"Bad ", what, ": ", printable(value, 100)})};
}

Parsed<Attribute> parse_attribute(std::string_view word) {
    const auto parts = split_once(word, '=');
    if (!parts) return ArgumentError{501, "5.5.4", "Error: attribute=value expected"};
    if (parts->second.size() > kMaxValue)
        return ArgumentError{501, "5.5.4", "Error: attribute value too long"};
    auto value = mail::xtext_decode(parts->second);
    if (!value) return bad("attribute value syntax", parts->second);
    Attribute attribute{to_upper(parts->first), printable(*value, kMaxValue), true};
    attribute.available =
        !iequals(attribute.value, "[UNAVAILABLE]") && !iequals(attribute.value, "[TEMPUNAVAIL]");
    return attribute;
}

using Problem = std::optional<ArgumentError>;

Problem take_name(const Attribute& attribute, std::string& name) {
    if (attribute.available && !mail::is_host_name(attribute.value))
        return bad("hostname syntax", attribute.value);
    name = attribute.available ? attribute.value : kUnknown;
    return std::nullopt;
}

Problem take_address(const Attribute& attribute, std::string& address) {
    std::string_view text = attribute.value;
    if (istarts_with(text, "IPV6:")) text.remove_prefix(5);
    const auto parsed = IpAddress::parse(text);
    if (attribute.available && !parsed) return bad("address syntax", attribute.value);
    address = attribute.available ? parsed->str() : kUnknown;
    return std::nullopt;
}

Problem take_port(const Attribute& attribute, std::string& port) {
    if (attribute.available && !parse_number<std::uint16_t>(attribute.value))
        return bad("TCP port number syntax", attribute.value);
    port = attribute.available ? attribute.value : kUnknown;
    return std::nullopt;
}

void take_text(const Attribute& attribute, std::string& text) {
    text = attribute.available ? attribute.value : std::string();
}

Problem take_xclient(const Attribute& a, XclientArguments& to) {
    if (a.name == "NAME") return take_name(a, to.name.emplace());
    if (a.name == "REVERSE_NAME") return take_name(a, to.reverse_name.emplace());
    if (a.name == "ADDR") return take_address(a, to.address.emplace());
    if (a.name == "PORT") return take_port(a, to.port.emplace());
    if (a.name == "DESTADDR") return take_address(a, to.server_address.emplace());
    if (a.name == "DESTPORT") return take_port(a, to.server_port.emplace());
    if (a.name == "HELO") {
        take_text(a, to.helo.emplace());
    } else if (a.name == "LOGIN") {
        take_text(a, to.login.emplace());
    } else if (a.name == "PROTO") {
        if (!iequals(a.value, "SMTP") && !iequals(a.value, "ESMTP"))
            return bad("protocol name", a.value);
        to.protocol = to_upper(a.value);
    } else {
        return bad("XCLIENT attribute name", a.name);
    }
    return std::nullopt;
}

Problem take_xforward(const Attribute& a, Forwarded& to) {
    if (a.name == "NAME") return take_name(a, to.name);
    if (a.name == "ADDR") return take_address(a, to.address);
    if (a.name == "PORT") return take_port(a, to.port);
    if (a.name == "HELO") {
        take_text(a, to.helo);
    } else if (a.name == "IDENT") {
        take_text(a, to.ident);
    } else if (a.name == "PROTO") {
        if (a.value.size() > kMaxProtocol) return bad("protocol syntax", a.value);
        take_text(a, to.protocol);
    } else if (a.name == "SOURCE") {
        if (!iequals(a.value, "LOCAL") && !iequals(a.value, "REMOTE"))
            return bad("SOURCE value", a.value);
        to.local = iequals(a.value, "LOCAL");
    } else {
        return bad("XFORWARD attribute name", a.name);
    }
    return std::nullopt;
}

template <class Target>
Problem take_all(std::string_view command, std::string_view argument, Target& target,
                 Problem (*take)(const Attribute&, Target&)) {
    const auto words = split_words(argument, " ");
    if (words.empty())
        return ArgumentError{501, "5.5.4", cat({"Syntax: ", command, " attribute=value..."})};
    for (const auto word : words) {
        auto parsed = parse_attribute(word);
        if (auto* error = std::get_if<ArgumentError>(&parsed)) return std::move(*error);
        if (auto error = take(std::get<Attribute>(parsed), target)) return error;
    }
    return std::nullopt;
}

}  // namespace

Parsed<XclientArguments> parse_xclient(std::string_view argument) {
    XclientArguments client;
    if (auto error = take_all("XCLIENT", argument, client, take_xclient)) return std::move(*error);
    return client;
}

std::optional<ArgumentError> parse_xforward(std::string_view argument, Forwarded& known) {
    Forwarded more = known;
    if (auto error = take_all("XFORWARD", argument, more, take_xforward)) return error;
    known = std::move(more);
    return std::nullopt;
}

std::vector<std::string> xforward_commands(std::string_view announced, const Forwarded& origin) {
    const auto offered = split_words(announced, " ");
    const auto add = [&](std::string& line, std::string_view name, std::string_view value) {
        const auto same = [&](std::string_view one) { return iequals(one, name); };
        if (value.empty() || std::none_of(offered.begin(), offered.end(), same)) return;
        line += cat({line.empty() ? "" : " ", name, "=", mail::xtext_encode(value)});
    };
    std::string where, how;
    const auto known = [](const std::string& text) {
        return text == kUnknown ? std::string_view("[UNAVAILABLE]") : std::string_view(text);
    };
    const auto address = IpAddress::parse(origin.address);
    add(where, "NAME", known(origin.name));
    add(where, "ADDR",
        address && address->is_v6() ? cat({"IPv6:", origin.address})
                                    : std::string(known(origin.address)));
    add(where, "PORT", known(origin.port));
    add(how, "PROTO", known(origin.protocol));
    add(how, "HELO", origin.helo);
    add(how, "IDENT", origin.ident);
    add(how, "SOURCE", origin.local ? "LOCAL" : "REMOTE");
    std::vector<std::string> commands;
    if (!where.empty()) commands.push_back(std::move(where));
    if (!how.empty()) commands.push_back(std::move(how));
    return commands;
}

}  // namespace postern::smtp
