// access(5): check_*_access, what is looked up and what the result means.
#include <algorithm>
#include <optional>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/table/address_lookup.h"

#include "policy/evaluation.h"

namespace postern::policy {
namespace {

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

std::optional<ipc::MailActionKind> action_named(std::string_view word) {
    using enum ipc::MailActionKind;
    constexpr std::pair<std::string_view, ipc::MailActionKind> kActions[] = {
        {"PREPEND", prepend}, {"HOLD", hold},         {"DISCARD", discard},
        {"FILTER", filter},   {"REDIRECT", redirect}, {"BCC", bcc}};
    for (const auto& [name, kind] : kActions)
        if (iequals(word, name)) return kind;
    return std::nullopt;
}

// "Name: value", RFC 5322 2.2.
bool is_header(std::string_view text) {
    const auto colon = text.find(':');
    return colon != text.npos && colon > 0 &&
           std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                       [](char c) { return c > ' ' && c < 127; });
}

}  // namespace

// "5.7.1 text" -> status and text; the default status where there is none.
std::pair<std::string, std::string> split_reply_status(std::string_view text,
                                                       std::string_view fallback) {
    const auto word = text.substr(0, text.find(' '));
    const auto parts = split(word, '.');
    const bool is_status = parts.size() == 3 && parts[0].size() == 1 &&
                           (parts[0][0] == '2' || parts[0][0] == '4' || parts[0][0] == '5') &&
                           all_digits(parts[1]) && all_digits(parts[2]) && word.size() <= 9;
    if (!is_status) return {std::string(fallback), std::string(text)};
    return {std::string(word), std::string(trim(text.substr(word.size())))};
}

Decision Evaluation::access(const Restriction& one, Check check, int depth) {
    const bool plain = options_.access_parents_plain;
    const auto& delimiters = options_.recipient_delimiter;
    auto& maps = *one.maps;
    switch (check) {
        case Check::client_access: {
            if (!question_.client_name.empty() && question_.client_name != "unknown") {
                Decision decision =
                    access_in(maps, table::domain_keys(question_.client_name, plain),
                              Subject::client, depth, one.argument);
                if (!decision.undecided()) return decision;
            }
            return access_in(maps, table::client_address_keys(question_.client_address),
                             Subject::client, depth, one.argument);
        }
        case Check::helo_access:
            if (question_.helo.empty()) return Decision::dunno();
            return access_in(maps, table::domain_keys(question_.helo, plain), Subject::helo, depth,
                             one.argument);
        case Check::sender_access: {
            if (sender_.empty()) {
                return access_in(maps,
                                 {{options_.null_access_lookup_key, table::KeyKind::whole, {}}},
                                 Subject::sender, depth, one.argument);
            }
            return access_in(maps, table::access_keys(sender_, delimiters, plain), Subject::sender,
                             depth, one.argument);
        }
        case Check::sasl_access:
            if (question_.sasl_username.empty()) return Decision::dunno();
            return access_in(maps, {{question_.sasl_username, table::KeyKind::whole, {}}}, subject_,
                             depth, one.argument);
        case Check::reverse_client_access:
            if (question_.reverse_name.empty() || question_.reverse_name == "unknown")
                return Decision::dunno();
            return access_in(maps, table::domain_keys(question_.reverse_name, plain),
                             Subject::client, depth, one.argument);
        case Check::ccert_access:
            if (question_.certificate_fingerprint.empty()) return Decision::dunno();
            return access_in(maps,
                             {{question_.certificate_fingerprint, table::KeyKind::whole, {}},
                              {question_.key_fingerprint, table::KeyKind::whole, {}}},
                             Subject::client, depth, one.argument);
        case Check::etrn_access:
            return access_in(maps, table::domain_keys(question_.recipient, plain), Subject::etrn,
                             depth, one.argument);
        default: break;
    }
    if (recipient_.empty()) return Decision::dunno();
    return access_in(maps, table::access_keys(recipient_, delimiters, plain), Subject::recipient,
                     depth, one.argument);
}

Decision Evaluation::permit(std::string_view action, Subject subject, std::string_view from) {
    const auto told = engine_.told_permits_.matches_name(action);
    if (!told)
        log::warning(trace(), cat({"smtpd_log_access_permit_actions: ", told.error().what}));
    else if (*told)
        note(ipc::PolicyNoteKind::permit,
             cat({"action=", action, " for ", class_of(subject), "=", name_of(subject),
                  from.empty() ? " " : " from ", from}));
    return Decision::permit();
}

void Evaluation::note(ipc::PolicyNoteKind kind, std::string_view text) {
    if (notes_.size() < ipc::kMaxPolicyNotes)
        notes_.push_back({kind, printable(text, ipc::kMaxText)});
    else
        log::warning(trace(), cat({"too many lines for one answer: not told: ", printable(text)}));
}

Decision Evaluation::access_in(table::Maps& maps, const std::vector<table::AddressKey>& keys,
                               Subject subject, int depth, const std::string& spec) {
    auto found = table::find_first(maps, keys);
    if (found.not_found()) return Decision::dunno();
    if (found.failed()) {
        log::warning(trace(), found.error().what);
        return rejected(451, "4.3.5", subject, "Server configuration error");
    }
    found_ = cat({" (", maps.matched(), ", key ", found->key, ")"});
    return access_result(found->value, subject, depth, spec);
}

// What is to become of the message, whoever else may send or get it. A mistake in the table is
// told, and the message goes on as if it were not there, as in Postfix.
Decision Evaluation::mail_action(ipc::MailActionKind kind, std::string_view text, Subject subject,
                                 const std::string& spec, const std::string& value) {
    using enum ipc::MailActionKind;
    const auto mistake = [&](std::string_view what) {
        log::warning(trace(),
                     cat({"access table ", spec, " entry \"", printable(value, 200), "\" ", what}));
        return Decision::dunno();
    };
    const bool addressed = kind == redirect || kind == bcc;
    const auto is_bad = [](char c) { return is_control(c) || c == ' '; };
    if (kind == filter && text.find(':') == text.npos)
        return mistake("requires transport:destination");
    if (addressed && (text.find('@') == text.npos || std::any_of(text.begin(), text.end(), is_bad)))
        return mistake("requires user@domain target");
    if (kind == prepend && !is_header(text)) return mistake("requires a header line");
    if (kind == prepend && question_.stage == ipc::PolicyStage::end_of_data)
        return mistake("comes too late: PREPEND needs a list that is asked before the text");
    ipc::MailAction action{kind, printable(text, ipc::kMaxText), {}};
    const std::string about = cat({"<", name_of(subject), ">: ", class_of(subject)});
    const auto word = to_upper(value.substr(0, value.find_first_of(" \t")));
    const bool own_words = (kind == hold || kind == discard) && !text.empty();
    if (own_words) action.why = cat({about, " ", text});
    if (!own_words && kind != prepend)
        action.why = cat(
            {about, " triggers ", word, " ", kind == hold || kind == discard ? "action" : text});
    action.why = printable(action.why, ipc::kMaxText);
    if (!warn_only_ && actions_.size() < ipc::kMaxMailActions)
        actions_.push_back(std::move(action));
    return kind == discard ? permit(value.substr(0, value.find_first_of(" \t")), subject, spec)
                           : Decision::dunno();
}

Decision Evaluation::access_result(const std::string& value, Subject subject, int depth,
                                   const std::string& spec) {
    const auto word = std::string_view(value).substr(0, value.find_first_of(" \t"));
    const auto text = trim(std::string_view(value).substr(word.size()));
    // "4NN text", "5NN text"; any other number is OK, for tables of other software.
    if (all_digits(word)) {
        if (word.size() != 3 || (word[0] != '4' && word[0] != '5'))
            return permit(word, subject, spec);
        const int code = *parse_number<int>(word);
        auto [status, why] = split_reply_status(text, code < 500 ? "4.7.1" : "5.7.1");
        return rejected(code, status, subject, why.empty() ? "Access denied" : why);
    }
    if (iequals(word, "OK") || iequals(word, "RELAY")) return permit(word, subject, spec);
    if (iequals(word, "DUNNO")) return Decision::dunno();
    if (iequals(word, "REJECT") || iequals(word, "DEFER")) {
        const bool reject = iequals(word, "REJECT");
        auto [status, why] = split_reply_status(text, reject ? "5.7.1" : "4.7.1");
        return rejected(reject ? options_.access_map_reject_code : options_.access_map_defer_code,
                        status, subject, why.empty() ? "Access denied" : why);
    }
    if (iequals(word, "DEFER_IF_PERMIT") || iequals(word, "DEFER_IF_REJECT")) {
        auto [status, why] = split_reply_status(text, "4.7.1");
        auto& flag = iequals(word, "DEFER_IF_PERMIT") ? defer_if_permit_ : defer_if_reject_;
        if (!flag) {
            flag = make_reply(options_.access_map_defer_code, status,
                              cat({"<", name_of(subject), ">: ", class_of(subject),
                                   " rejected: ", why.empty() ? "Access denied" : why}));
        }
        return Decision::dunno();
    }
    if (iequals(word, "WARN") || iequals(word, "INFO")) {
        note(iequals(word, "WARN") ? ipc::PolicyNoteKind::warn : ipc::PolicyNoteKind::info, text);
        return Decision::dunno();
    }
    if (const auto kind = action_named(word)) return mail_action(*kind, text, subject, spec, value);
    // Anything else is a list of restrictions.
    const auto is_class = [this](std::string_view name) { return engine_.classes_.contains(name); };
    return run_list(with_tables(config::parse_restrictions(value, is_class)), subject_, depth + 1);
}

}  // namespace postern::policy
