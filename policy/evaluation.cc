// The flow of an evaluation: which lists a stage has, and what each restriction does. Texts and
// codes are Postfix's.
#include "policy/evaluation.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::policy {
namespace {

constexpr int kMaxDepth = 100;      // classes that name classes, access results that name lists
constexpr unsigned kMaxSleep = 30;  // seconds; a worker is not for sleeping

}  // namespace

Evaluation::Evaluation(Engine& engine, const ipc::PolicyQuestion& question)
    : engine_(engine),
      options_(engine.options_),
      question_(question),
      sender_(table::complete_address(question.sender, options_.completion)),
      recipient_(question.stage == ipc::PolicyStage::etrn  // that is a domain
                     ? std::string()
                     : table::complete_address(question.recipient, options_.completion)) {}

Decision Evaluation::run() {
    const auto& lists = engine_.lists_;
    switch (question_.stage) {
        case ipc::PolicyStage::connect:
            return options_.delay_reject
                       ? Decision::dunno()
                       : run_parameter("smtpd_client_restrictions", lists.client, Subject::client);
        case ipc::PolicyStage::helo:
            return options_.delay_reject
                       ? Decision::dunno()
                       : run_parameter("smtpd_helo_restrictions", lists.helo, Subject::helo);
        case ipc::PolicyStage::mail: {
            if (options_.delay_reject) return Decision::dunno();
            Decision decision =
                run_parameter("smtpd_sender_restrictions", lists.sender, Subject::sender);
            if (decision.refused() || !options_.reject_unlisted_sender) return decision;
            decision = unlisted(ListedAddresses::Whose::sender);
            if (decision.refused()) rule_ = "smtpd_reject_unlisted_sender";
            return decision;
        }
        case ipc::PolicyStage::data:
            return run_parameter("smtpd_data_restrictions", lists.data, Subject::data);
        case ipc::PolicyStage::end_of_data:
            return run_parameter("smtpd_end_of_data_restrictions", lists.end_of_data,
                                 Subject::end_of_data);
        case ipc::PolicyStage::etrn: return run_etrn_stage();
        case ipc::PolicyStage::rcpt:
        case ipc::PolicyStage::vrfy: break;
    }
    Decision decision = run_recipient_stage();
    if (decision.refused()) return decision;
    if (defer_if_permit_) {
        rule_ = if_permit_rule_;
        return Decision::refuse(*defer_if_permit_);
    }
    if (question_.stage == ipc::PolicyStage::rcpt) {
        if (auto full = engine_.listed_.full(recipient_, question_.size)) return over_quota(*full);
    }
    rule_ = permit_rule_;
    return decision;
}

// RFC 5321 4.2.3: 452 and 552 are what a full mailbox gets
Decision Evaluation::over_quota(const ipc::QuotaAnswer& answer) {
    rule_ = "mailbox_quota_at_recipient";
    const bool defers = answer.outcome == ipc::Outcome::defer;
    return Decision::refuse(make_reply(
        defers ? 452 : 552, "5.2.2",
        cat({"<", question_.recipient, ">: Recipient address rejected: ", answer.text})));
}

// What was put off until RCPT must be asked now: ETRN has none.
Decision Evaluation::run_etrn_stage() {
    const auto& lists = engine_.lists_;
    if (options_.delay_reject) {
        Decision decision =
            run_parameter("smtpd_client_restrictions", lists.client, Subject::client);
        if (decision.refused()) return decision;
        if (!question_.helo.empty())
            decision = run_parameter("smtpd_helo_restrictions", lists.helo, Subject::helo);
        if (decision.refused()) return decision;
    }
    return run_parameter("smtpd_etrn_restrictions", lists.etrn, Subject::etrn);
}

Decision Evaluation::run_recipient_stage() {
    const auto& lists = engine_.lists_;
    // Whatever else is configured: without anything that stops relaying we do not start.
    if (!engine_.stops_relaying_) {
        return server_error(
            cat({"in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, ",
                 config::kOpenRelayText}));
    }
    if (options_.delay_reject && question_.stage == ipc::PolicyStage::rcpt) {
        Decision decision =
            run_parameter("smtpd_client_restrictions", lists.client, Subject::client);
        if (decision.refused()) return decision;
        if (!question_.helo.empty())
            decision = run_parameter("smtpd_helo_restrictions", lists.helo, Subject::helo);
        if (decision.refused()) return decision;
        decision = run_parameter("smtpd_sender_restrictions", lists.sender, Subject::sender);
        if (decision.refused()) return decision;
        if (options_.reject_unlisted_sender) decision = unlisted(ListedAddresses::Whose::sender);
        if (decision.refused()) rule_ = "smtpd_reject_unlisted_sender";
        if (decision.refused()) return decision;
    }
    permit_rule_.clear();  // what let the client or its HELO pass is not what let it send
    using Named = std::pair<std::string_view, const RestrictionList*>;
    Named order[] = {{"smtpd_relay_restrictions", &lists.relay},
                     {"smtpd_recipient_restrictions", &lists.recipient}};
    if (!options_.relay_before_recipient) std::swap(order[0], order[1]);
    for (const auto& [name, list] : order) {
        Decision decision = run_parameter(name, *list, Subject::recipient);
        if (decision.refused()) return decision;
    }
    if (!options_.reject_unlisted_recipient) return Decision::permit();
    Decision decision = unlisted(ListedAddresses::Whose::recipient);
    if (decision.refused()) rule_ = "smtpd_reject_unlisted_recipient";
    return decision;
}

// "smtpd_recipient_restrictions greylisted > check_policy_service unix:private/grey"
std::string Evaluation::place() const {
    std::string text(parameter_);
    for (const Restriction* one : path_)
        text += cat({one == path_.front() ? " " : " > ", one->name,
                     one->argument.empty() || one->argument == one->name ? "" : " ",
                     one->argument == one->name ? "" : one->argument});
    return printable(text + found_, ipc::kMaxText);
}

void Evaluation::note_doubts() {
    if (defer_if_permit_ && if_permit_rule_.empty()) if_permit_rule_ = place();
    if (defer_if_reject_ && if_reject_rule_.empty()) if_reject_rule_ = place();
}

Decision Evaluation::run_parameter(std::string_view name, const RestrictionList& list,
                                   Subject subject) {
    parameter_ = name;
    Decision decision = run_list(list, subject);
    if (decision.undecided()) return decision;
    if (decision.refused()) {
        // An earlier doubt outweighs a certainty: it is the one that decided.
        if (defer_if_reject_ && decision.reply.text == defer_if_reject_->text)
            rule_ = if_reject_rule_;
    } else if (permit_rule_.empty()) {
        permit_rule_ = rule_;
    }
    return decision;
}

Decision Evaluation::run_list(const RestrictionList& list, Subject subject, int depth) {
    subject_ = subject;
    if (depth > kMaxDepth) return server_error("restriction recursion loop");
    for (const auto& one : list) {
        if (one.check == Check::warn_if_reject) {
            warn_only_ = true;
            continue;
        }
        path_.push_back(&one);
        found_.clear();
        if (depth == 0) rule_.clear();
        Decision decision = run_one(one, depth);
        if (decision.kind == Decision::Kind::permit && one.check != Check::restriction_class &&
            one.name.starts_with("permit"))
            decision = permit(one.name, permitted_by(one.check));
        note_doubts();
        if (!decision.undecided() && rule_.empty()) rule_ = place();
        path_.pop_back();
        subject_ = subject;
        warn_only_ = false;
        if (!decision.undecided()) return decision;
    }
    return Decision::dunno();
}

// What such a restriction is about, wherever it stands; a bare "permit" is about its list's
// subject.
Subject Evaluation::permitted_by(Check check) const {
    if (check == Check::permit) return subject_;
    return check == Check::permit_auth_destination || check == Check::permit_mx_backup
               ? Subject::recipient
               : Subject::client;
}

Decision Evaluation::run_one(const Restriction& one, int depth) {
    switch (one.check) {
        case Check::client_access:
        case Check::helo_access:
        case Check::sender_access:
        case Check::recipient_access:
        case Check::etrn_access:
        case Check::ccert_access:
        case Check::reverse_client_access:
        case Check::sasl_access: return access(one, one.check, depth);
        case Check::table: {
            // As in Postfix: in a list about X, a table is a check of X.
            const Check check = subject_ == Subject::client   ? Check::client_access
                                : subject_ == Subject::helo   ? Check::helo_access
                                : subject_ == Subject::sender ? Check::sender_access
                                : subject_ == Subject::etrn   ? Check::etrn_access
                                                              : Check::recipient_access;
            return access(one, check, depth);
        }
        case Check::restriction_class: return run_named_class(one, depth);
        case Check::reject_unknown_sender_domain:
        case Check::reject_unknown_recipient_domain:
        case Check::reject_unknown_client:
        case Check::reject_unknown_reverse_client:
        case Check::reject_unknown_helo:
        case Check::reject_rhsbl_client:
        case Check::reject_rhsbl_reverse_client:
        case Check::reject_rhsbl_helo:
        case Check::reject_rhsbl_sender:
        case Check::reject_rhsbl_recipient:
        case Check::permit_dnswl_client:
        case Check::permit_rhswl_client:
        case Check::permit_mx_backup:
        case Check::server_access:
        case Check::reject_maps_rbl:
        case Check::reject_rbl_client: return run_dns(one, depth);
        case Check::reject_unverified_recipient: return unverified(Subject::recipient);
        case Check::reject_unverified_sender: return unverified(Subject::sender);
        case Check::policy_service: return ask_policy_service(one, depth);
        case Check::mistake: return server_error(one.mistake);
        default: return run_simple(one);
    }
}

Decision Evaluation::run_named_class(const Restriction& one, int depth) {
    const auto at = engine_.classes_.find(one.name);
    if (at == engine_.classes_.end())
        return server_error(cat({"unknown smtpd restriction: \"", one.name, "\""}));
    return run_list(at->second, subject_, depth + 1);
}

Decision Evaluation::run_dns(const Restriction& one, int depth) {
    if (engine_.names_ == nullptr) {
        return server_error(cat({"no name service for smtpd restriction: \"", one.name, "\""}));
    }
    switch (one.check) {
        case Check::permit_mx_backup:
            return subject_ == Subject::client || subject_ == Subject::helo ? Decision::dunno()
                                                                            : permit_mx_backup();
        case Check::server_access: return server_access(one, depth);
        case Check::reject_unknown_sender_domain: return unknown_domain(sender_, Subject::sender);
        case Check::reject_unknown_recipient_domain:
            return unknown_domain(recipient_, Subject::recipient);
        case Check::reject_unknown_client: return unknown_client(true);
        case Check::reject_unknown_reverse_client: return unknown_client(false);
        case Check::reject_unknown_helo: return unknown_helo();
        case Check::reject_rbl_client: return blocklisted(one.argument, false);
        case Check::reject_maps_rbl: return blocklisted_by_maps();
        case Check::permit_dnswl_client: return blocklisted(one.argument, true);
        default: return listed_domain(one);
    }
}

Decision Evaluation::run_simple(const Restriction& one) {
    const bool addressed = subject_ != Subject::client && subject_ != Subject::helo;
    switch (one.check) {
        case Check::permit: return Decision::permit();
        case Check::reject:
            return rejected(options_.reject_code, "5.7.1", subject_, "Access denied");
        case Check::defer:
            return rejected(options_.defer_code, "4.3.2", subject_, "Try again later");
        case Check::defer_if_permit:
            if (!defer_if_permit_) {
                defer_if_permit_ =
                    make_reply(450, "4.3.2",
                               cat({"<", name_of(subject_), ">: ", class_of(subject_),
                                    " rejected: defer_if_permit requested"}));
            }
            return Decision::dunno();
        case Check::defer_if_reject:
            if (!defer_if_reject_) {
                defer_if_reject_ =
                    make_reply(450, "4.3.2",
                               cat({"<", name_of(subject_), ">: ", class_of(subject_),
                                    " rejected: defer_if_reject requested"}));
            }
            return Decision::dunno();
        case Check::sleep: {
            const auto seconds = parse_number<unsigned>(one.argument);
            if (!seconds)
                return server_error(
                    cat({"restriction sleep needs a number, not \"", one.argument, "\""}));
            poll(nullptr, 0, static_cast<int>(std::min(*seconds, kMaxSleep) * 1000));
            return Decision::dunno();
        }
        case Check::permit_mynetworks: return permit_networks();
        case Check::permit_sasl_authenticated:
            return question_.sasl_username.empty() ? Decision::dunno() : Decision::permit();
        case Check::permit_tls_clientcerts: return permit_certificate();
        case Check::permit_tls_all_clientcerts:
            return question_.certificate_trusted ? Decision::permit() : Decision::dunno();
        case Check::permit_inet_interfaces: {
            const auto address = IpAddress::parse(question_.client_address);
            const auto& own = options_.domains.local_addresses;
            const bool is_own =
                address && std::find(own.begin(), own.end(), address->unmapped()) != own.end();
            return is_own ? Decision::permit() : Decision::dunno();
        }
        case Check::permit_auth_destination:
            return addressed ? permit_destination() : Decision::dunno();
        case Check::reject_unauth_destination:
            return addressed ? guard_destination(true) : Decision::dunno();
        case Check::defer_unauth_destination:
            return addressed ? guard_destination(false) : Decision::dunno();
        case Check::reject_unlisted_recipient: return unlisted(ListedAddresses::Whose::recipient);
        case Check::reject_unlisted_sender: return unlisted(ListedAddresses::Whose::sender);
        case Check::reject_non_fqdn_sender: return fqdn_address(question_.sender, Subject::sender);
        case Check::reject_non_fqdn_recipient:
            return fqdn_address(question_.recipient, Subject::recipient);
        case Check::permit_numeric_helo: return numeric_helo();
        case Check::reject_non_fqdn_helo: return helo_name(true);
        case Check::reject_invalid_helo: return helo_name(false);
        case Check::reject_plaintext_session: return plaintext();
        case Check::reject_multi_recipient_bounce:
            if (!question_.sender.empty() || question_.recipient_count < 2)
                return Decision::dunno();
            return rejected(options_.multi_recipient_bounce_reject_code, "5.5.3", subject_,
                            "Multi-recipient bounce");
        case Check::reject_sender_login_mismatch:
        case Check::reject_authenticated_sender_login_mismatch:
        case Check::reject_unauthenticated_sender_login_mismatch:
        case Check::reject_known_sender_login_mismatch: return login_mismatch(one.check);
        default: return Decision::dunno();
    }
}

Decision Evaluation::refuse(int code, std::string_view status, std::string text) {
    Reply reply = make_reply(code, status, text);
    if (warn_only_) {
        note(ipc::PolicyNoteKind::reject_warning,
             cat({std::to_string(reply.code), " ", reply.status, " ", reply.text}));
        return Decision::dunno();
    }
    // A later certainty does not outweigh an earlier doubt.
    if (code >= 500 && defer_if_reject_) return Decision::refuse(*defer_if_reject_);
    return Decision::refuse(std::move(reply));
}

Decision Evaluation::rejected(int code, std::string_view status, Subject subject,
                              std::string_view why) {
    return refuse(code, status,
                  cat({"<", name_of(subject), ">: ", class_of(subject), " rejected: ", why}));
}

Decision Evaluation::lookup_failure(const Error& error, Subject subject) {
    log::warning(trace(), error.what);
    return refuse(451, "4.3.0", cat({"<", name_of(subject), ">: Temporary lookup failure"}));
}

Decision Evaluation::server_error(const std::string& warning) {
    log::warning(trace(), warning);
    return Decision::refuse(configuration_error());
}

std::string Evaluation::name_of(Subject subject) const {
    switch (subject) {
        case Subject::client:
            return cat({question_.client_name, "[", question_.client_address, "]"});
        case Subject::helo: return question_.helo;
        case Subject::sender: return question_.sender;
        case Subject::recipient: return question_.recipient;
        case Subject::data: return "DATA";
        case Subject::end_of_data: return "END-OF-MESSAGE";
        case Subject::etrn: return question_.recipient;
    }
    return {};
}

std::string_view Evaluation::class_of(Subject subject) {
    switch (subject) {
        case Subject::client: return "Client host";
        case Subject::helo: return "Helo command";
        case Subject::sender: return "Sender address";
        case Subject::recipient: return "Recipient address";
        case Subject::data: return "Data command";
        case Subject::end_of_data: return "End-of-data";
        case Subject::etrn: return "Etrn command";
    }
    return {};
}

}  // namespace postern::policy
