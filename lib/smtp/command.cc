// The command parser, see command.h. Reply texts are Postfix's, which clients and log tools know.
#include "lib/smtp/command.h"

#include <algorithm>
#include <array>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/mail/xtext.h"

#include "lib/smtp/delivery_options.h"

namespace postern::smtp {
namespace {

constexpr std::array<std::string_view, kVerbCount> kNames = {
    "HELO", "EHLO", "XCLIENT", "XFORWARD", "STARTTLS", "AUTH", "MAIL", "RCPT",
    "DATA", "RSET", "NOOP",    "VRFY",     "ETRN",     "QUIT", "HELP", "UNKNOWN"};

constexpr std::size_t kMaxEnvid = 100;  // RFC 3461 4.4
constexpr std::size_t kMaxOrcpt = 500;  // RFC 3461 4.2
constexpr std::size_t kMaxAuth = 500;   // RFC 4954 5

ArgumentError syntax(std::string_view text) { return {501, "5.5.4", std::string(text)}; }

ArgumentError no_dsn() { return {501, "5.7.1", "DSN support is disabled"}; }

ArgumentError unsupported(std::string_view option) {
    return {555, "5.5.4", cat({"Unsupported option: ", printable(option, 100)})};
}

// The value of "NAME=value" when option has that name.
std::optional<std::string_view> value_of(std::string_view option, std::string_view name) {
    if (option.size() <= name.size() || option[name.size()] != '=') return std::nullopt;
    if (!istarts_with(option, name)) return std::nullopt;
    return option.substr(name.size() + 1);
}

// "FROM:" or "TO:" and the spaces that many clients put behind it.
std::optional<std::string_view> after_keyword(std::string_view argument, std::string_view keyword) {
    if (!istarts_with(argument, keyword)) return std::nullopt;
    return trim_left(argument.substr(keyword.size()));
}

// As Postfix takes them: without smtputf8_enable any bytes in local parts, with it only UTF-8.
mail::AddressRules address_rules(const Offered& extensions) {
    mail::AddressRules rules;
    rules.bare_local = true;  // completed with our own domain later; RFC 5321 4.5.1: "postmaster"
    rules.smtputf8 = extensions.utf8_addresses;
    rules.raw_local = !extensions.utf8_addresses;
    return rules;
}

// RFC 6531 3.4: UTF-8 goes with the extension only. Local parts were 8-bit long before it, and are
// let pass unless strict_smtputf8.
std::optional<ArgumentError> undeclared(const mail::Address& address, const Offered& extensions,
                                        const ArgumentError& bad_syntax) {
    if (!is_ascii(address.domain().str())) return bad_syntax;
    if (extensions.strict_utf8 && !address.is_ascii())
        return ArgumentError{553, "5.6.7", "Must declare SMTPUTF8 to send unicode address"};
    return std::nullopt;
}

std::optional<ArgumentError> take_size(std::string_view value, MailArguments& mail) {
    const auto size = parse_number<std::uint64_t>(value);
    if (!size || value.size() > 20) return syntax("Bad message size syntax");  // RFC 1870 3
    mail.size = *size;
    return std::nullopt;
}

std::optional<ArgumentError> take_body(std::string_view value, MailArguments& mail) {
    if (iequals(value, "8BITMIME")) {
        mail.body = Body::eight_bit;  // RFC 6152 2
    } else if (iequals(value, "7BIT")) {
        mail.body = Body::seven_bit;
    } else {
        return unsupported(cat({"BODY=", value}));
    }
    return std::nullopt;
}

// RFC 3461 4.3, 4.4: each at most once.
std::optional<ArgumentError> take_dsn(std::string_view option, bool offered, MailArguments& mail) {
    const auto ret = value_of(option, "RET");
    const auto envid = value_of(option, "ENVID");
    if (!ret && !envid) return unsupported(option);
    if (!offered) return no_dsn();
    if (ret) {
        if (!mail.ret.empty() || !(iequals(*ret, "FULL") || iequals(*ret, "HDRS")))
            return syntax("Bad RET parameter syntax");
        mail.ret = to_upper(*ret);
        return std::nullopt;
    }
    if (!mail.envid.empty() || envid->size() > kMaxEnvid || !mail::is_printable_xtext(*envid))
        return syntax("Bad ENVID parameter syntax");
    mail.envid = *envid;
    return std::nullopt;
}

// RFC 6710 4, RFC 4865 4: each at most once, and one of the latter two.
std::optional<ArgumentError> take_priority(std::string_view value, MailArguments& mail) {
    if (mail.priority) return syntax("Bad MT-PRIORITY parameter syntax");
    mail.priority = parse_priority(value);
    if (!mail.priority) return syntax("Bad MT-PRIORITY parameter syntax");
    return std::nullopt;
}

std::optional<ArgumentError> take_hold_for(std::string_view value, MailArguments& mail) {
    if (mail.hold_for || mail.hold_until) return syntax("Bad HOLDFOR parameter syntax");
    mail.hold_for = parse_hold_for(value);
    if (!mail.hold_for) return syntax("Bad HOLDFOR parameter syntax");
    return std::nullopt;
}

std::optional<ArgumentError> take_hold_until(std::string_view value, MailArguments& mail) {
    if (mail.hold_for || mail.hold_until) return syntax("Bad HOLDUNTIL parameter syntax");
    mail.hold_until = parse_date_time(value);
    if (!mail.hold_until) return syntax("Bad HOLDUNTIL parameter syntax");
    return std::nullopt;
}

// "XVERP", or "XVERP=+=".
std::optional<ArgumentError> take_verp(std::string_view option, const Offered& extensions,
                                       MailArguments& mail) {
    const auto value = value_of(option, "XVERP").value_or(extensions.verp_delimiters);
    const bool fits = value.size() == 2 &&
                      value.find_first_not_of(extensions.verp_filter) == std::string_view::npos;
    if (!fits)
        return syntax(cat({"Error: XVERP needs two characters from ", extensions.verp_filter}));
    mail.verp = value;
    return std::nullopt;
}

std::optional<ArgumentError> take_mail_option(std::string_view option, const Offered& extensions,
                                              MailArguments& mail) {
    if (!extensions.esmtp) return unsupported(option);
    if (auto size = value_of(option, "SIZE")) return take_size(*size, mail);
    if (auto body = value_of(option, "BODY")) return take_body(*body, mail);
    if (auto auth = value_of(option, "AUTH"); auth && extensions.auth) {
        if (auth->size() > kMaxAuth || !mail::xtext_decode(*auth))
            return syntax("Bad AUTH parameter syntax");
        mail.auth = *auth;
        return std::nullopt;
    }
    if (iequals(option, "SMTPUTF8") && extensions.smtputf8) {
        mail.smtputf8 = true;
        return std::nullopt;
    }
    if (auto value = value_of(option, "MT-PRIORITY"); value && extensions.mt_priority)
        return take_priority(*value, mail);
    if (extensions.verp && (iequals(option, "XVERP") || value_of(option, "XVERP")))
        return take_verp(option, extensions, mail);
    if (extensions.future_release) {
        if (auto value = value_of(option, "HOLDFOR")) return take_hold_for(*value, mail);
        if (auto value = value_of(option, "HOLDUNTIL")) return take_hold_until(*value, mail);
    }
    return take_dsn(option, extensions.dsn, mail);
}

// RFC 3461 4.1: NEVER stands alone, and the parameter at most once.
std::optional<ArgumentError> take_notify(std::string_view value, RcptArguments& rcpt) {
    const auto bad = syntax("Error: Bad NOTIFY parameter syntax");
    if (rcpt.notify != 0) return bad;
    for (auto word : split(value, ',')) {
        const std::uint8_t bit = iequals(word, "NEVER")     ? kNever
                                 : iequals(word, "SUCCESS") ? kSuccess
                                 : iequals(word, "FAILURE") ? kFailure
                                 : iequals(word, "DELAY")   ? kDelay
                                                            : std::uint8_t{0};
        if (bit == 0 || (rcpt.notify & kNever) != 0 || (bit == kNever && rcpt.notify != 0))
            return bad;
        rcpt.notify = static_cast<std::uint8_t>(rcpt.notify | bit);
    }
    return std::nullopt;
}

std::optional<ArgumentError> take_rcpt_option(std::string_view option, const Offered& extensions,
                                              RcptArguments& rcpt) {
    const auto notify = value_of(option, "NOTIFY");
    const auto orcpt = value_of(option, "ORCPT");
    if (!extensions.esmtp || (!notify && !orcpt)) return unsupported(option);
    if (!extensions.dsn) return no_dsn();
    if (notify) return take_notify(*notify, rcpt);
    if (!rcpt.orcpt.empty() || orcpt->size() > kMaxOrcpt || !mail::parse_orcpt(*orcpt))
        return syntax("Error: Bad ORCPT parameter syntax");
    rcpt.orcpt = *orcpt;
    return std::nullopt;
}

}  // namespace

std::string_view verb_name(Verb verb) { return kNames[static_cast<std::size_t>(verb)]; }

Command parse_command(std::string_view line) {
    Command command;
    line = trim(line);
    const auto end = line.find_first_of(" \t");  // RFC 5321 4.1.1.1 has spaces; tabs are tolerated
    command.word = line.substr(0, end);
    if (end != line.npos) command.argument = trim(line.substr(end));
    for (std::size_t i = 0; i + 1 < kVerbCount; ++i) {
        if (iequals(command.word, kNames[i])) command.verb = static_cast<Verb>(i);
    }
    return command;
}

Parsed<MailArguments> parse_mail(std::string_view argument, const Offered& extensions) {
    const auto text = after_keyword(argument, "FROM:");
    if (!text || text->empty()) return syntax("Syntax: MAIL FROM:<address>");
    const ArgumentError bad_syntax{501, "5.1.7", "Bad sender address syntax"};
    if (extensions.strict_paths && !text->starts_with('<')) return bad_syntax;
    auto path = mail::parse_path(*text, address_rules(extensions));
    if (!path) return bad_syntax;
    MailArguments mail;
    mail.sender = std::move(path->address);
    for (auto option : split_words(path->rest, " ")) {
        if (auto error = take_mail_option(option, extensions, mail)) return std::move(*error);
    }
    if (!mail.verp.empty() && mail.sender.is_null())
        return ArgumentError{503, "5.5.4", "Error: XVERP requires non-null sender"};
    if (!mail.smtputf8) {
        if (auto error = undeclared(mail.sender, extensions, bad_syntax)) return std::move(*error);
    }
    return mail;
}

Parsed<mail::Address> parse_vrfy(std::string_view argument, const Offered& extensions) {
    const ArgumentError bad_syntax{501, "5.1.3", "Bad recipient address syntax"};
    auto path = mail::parse_path(argument, address_rules(extensions));
    if (!path || path->address.is_null()) return bad_syntax;
    const auto option = trim(path->rest);
    const bool declared = extensions.smtputf8 && iequals(option, "SMTPUTF8");  // RFC 6531 3.7.4.2
    if (!declared && !option.empty()) return bad_syntax;
    if (!declared) {
        if (auto error = undeclared(path->address, extensions, bad_syntax))
            return std::move(*error);
    }
    return std::move(path->address);
}

Parsed<RcptArguments> parse_rcpt(std::string_view argument, const Offered& extensions) {
    const auto text = after_keyword(argument, "TO:");
    if (!text || text->empty()) return syntax("Syntax: RCPT TO:<address>");
    const ArgumentError bad_syntax{501, "5.1.3", "Bad recipient address syntax"};
    if (extensions.strict_paths && !text->starts_with('<')) return bad_syntax;
    auto path = mail::parse_path(*text, address_rules(extensions));
    if (!path || path->address.is_null()) return bad_syntax;
    if (!extensions.smtputf8) {
        if (auto error = undeclared(path->address, extensions, bad_syntax))
            return std::move(*error);
    }
    RcptArguments rcpt;
    rcpt.recipient = std::move(path->address);
    for (auto option : split_words(path->rest, " ")) {
        if (auto error = take_rcpt_option(option, extensions, rcpt)) return std::move(*error);
    }
    return rcpt;
}

}  // namespace postern::smtp
