#include "cleanup/envelope.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/mail/encoded_word.h"

#include "cleanup/header_addresses.h"

namespace postern::cleanup {
namespace {

std::string_view origin_name(ipc::Origin origin) {
    switch (origin) {
        case ipc::Origin::smtp: return "smtp";
        case ipc::Origin::local: return "local";
        case ipc::Origin::internal: return "internal";
    }
    return "smtp";
}

std::string_view return_name(ipc::DsnReturn ret) {
    switch (ret) {
        case ipc::DsnReturn::unset: return "";
        case ipc::DsnReturn::full: return "full";
        case ipc::DsnReturn::headers: return "hdrs";
    }
    return "";
}

// RFC 5322 3.2.4: a display name with special characters is quoted.
std::string display_name(std::string_view name) {
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return is_alnum(c) || static_cast<unsigned char>(c) >= 128 ||
               std::string_view(" !#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
    });
    if (plain) return std::string(name);
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

// RFC 5322 3.2.2: parentheses within a comment are escaped, so that it ends where ours does.
std::string comment_text(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == '(' || c == ')' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

}  // namespace

queue::Envelope envelope_of(const ipc::SubmitOpen& open) {
    namespace name = queue::attribute;
    queue::Envelope e;
    e.arrival = open.arrival;
    e.sender = open.sender;
    if (open.body_8bit) e.flags |= queue::kBody8bit;
    if (open.smtputf8) e.flags |= queue::kSmtpUtf8;
    if (open.hold) e.flags |= queue::kHold;
    if (open.report_all && !open.sender.empty()) e.flags |= queue::kReportAll;
    if (open.probe == ipc::Probe::cache) e.flags |= queue::kProbe;
    if (open.probe == ipc::Probe::report) e.flags |= queue::kProbeReport;
    e.attributes.reserve(16);
    const auto add = [&e](std::string_view key, std::string_view value) {
        // Names are all different: no search for an older one.
        if (!value.empty()) e.attributes.push_back({std::string(key), printable(value)});
    };
    add(name::kOrigin, origin_name(open.origin));
    add(name::kRewriteContext,
        open.origin == ipc::Origin::smtp && !open.rewrite_headers ? "remote" : "local");
    add(name::kSession, open.session.str());
    if (open.forwarded) {
        add(name::kClientName, open.origin_name);
        add(name::kClientAddress, open.origin_address);
        add(name::kClientPort, open.origin_port);
        add(name::kHelo, open.origin_helo);
        add(name::kProtocol, open.origin_protocol);
        add(name::kLogIdent, open.origin_ident);
    } else {
        add(name::kClientName, open.client_name);
        add(name::kReverseClientName, open.reverse_name);
        add(name::kClientAddress, open.client_address);
        if (open.client_port != 0) add(name::kClientPort, std::to_string(open.client_port));
        add(name::kHelo, open.helo);
        add(name::kProtocol, open.protocol);
    }
    add(name::kSaslUsername, open.sasl_username);
    add(name::kSaslMethod, open.sasl_method);
    add(name::kSaslSender, open.sasl_sender);
    if (open.priority != 0) add(name::kPriority, std::to_string(open.priority));
    if (open.release > WallTime{})
        add(name::kRelease, std::to_string(open.release.time_since_epoch().count()));
    add(name::kVerp, open.verp);
    add(name::kEnvid, open.envid);
    add(name::kRet, return_name(open.ret));
    return e;
}

queue::Recipient recipient_of(const ipc::SubmitRecipient& submitted, const std::string& address) {
    queue::Recipient r;
    r.address = address;
    const std::string& original =
        submitted.original.empty() ? submitted.address : submitted.original;
    if (original != address) r.original = original;
    r.orcpt = submitted.orcpt;
    r.notify = submitted.notify;
    return r;
}

std::string identity(const queue::Recipient& r) {
    return cat({r.orcpt, "\n", std::string(1, static_cast<char>('0' + r.notify)), "\n", r.original,
                "\n", r.address});
}

std::string author(const ipc::SubmitOpen& open, const Options& options) {
    const std::string address = printable(table::complete_address(
        open.sender.empty() ? "MAILER-DAEMON" : open.sender, options.completion));
    if (open.full_name.empty()) return address;
    const std::string name = printable(open.full_name, 200);
    if (!is_ascii(name) && !options.name_charset.empty()) {
        const std::string words = mail::encode_words(name, options.name_charset);
        return options.obsolete_from ? cat({address, " (", words, ")"})
                                     : cat({words, " <", address, ">"});
    }
    if (options.obsolete_from) return cat({address, " (", comment_text(name), ")"});
    return cat({display_name(name), " <", address, ">"});
}

}  // namespace postern::cleanup
