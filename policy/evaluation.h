// Evaluation: one question on its way through the lists. Lives for one answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/ipc/messages/policy.h"

#include "policy/engine.h"

namespace postern::policy {

class Evaluation {
  public:
    Evaluation(Engine& engine, const ipc::PolicyQuestion& question);

    // All lists of the question's stage.
    Decision run();
    // Afterwards: which rule it was, as PolicyAnswer::rule. Of several that let a message pass, the
    // one about relaying.
    const std::string& rule() const { return rule_; }
    // What is to become of the message if it is accepted.
    std::vector<ipc::MailAction>& actions() { return actions_; }
    // For smtpd's log.
    std::vector<ipc::PolicyNote>& notes() { return notes_; }

  private:
    Decision run_parameter(std::string_view name, const RestrictionList& list, Subject subject);
    std::string place() const;
    void note_doubts();
    Decision run_list(const RestrictionList& list, Subject subject, int depth = 0);
    Decision run_recipient_stage();
    Decision run_etrn_stage();
    Decision over_quota(const ipc::QuotaAnswer& answer);
    Decision run_one(const Restriction& one, int depth);
    Decision run_simple(const Restriction& one);
    Decision run_dns(const Restriction& one, int depth);
    Decision run_named_class(const Restriction& one, int depth);

    bool is_routed(std::string_view local) const;
    Decision permit_networks();
    Decision permit_destination();
    Decision permit_certificate();
    Decision permit_mx_backup();
    Decision mx_unknown(const Error& why);
    Decision server_access(const Restriction& one, int depth);
    Lookup<std::vector<Names::Server>> servers_of(std::string domain, ServerKind kind);
    Lookup<std::vector<IpAddress>> addresses_of(const std::string& server);
    std::string domain_for(Subject subject, bool reverse) const;
    // Defers, if nobody refuses for good.
    void doubt(int code, std::string_view status, Subject subject, std::string_view why);
    Decision not_known_now(bool defer_now, std::string_view status, Subject subject,
                           std::string_view why);
    Decision guard_destination(bool permanently);
    Decision unlisted(ListedAddresses::Whose whose);
    Decision fqdn_address(const std::string& address, Subject subject);
    Decision helo_name(bool fqdn);
    Decision numeric_helo();
    Decision login_mismatch(Check check);
    Decision unknown_domain(const std::string& address, Subject subject);
    Decision unknown_client(bool verified);
    Decision blocklisted(const std::string& spec, bool permit);
    Decision blocklisted_by_maps();
    Decision listed_domain(const Restriction& one);
    Decision listed(const std::string& spec, const std::string& domain, Subject subject,
                    const std::string& what, const std::string& why);
    Decision unknown_helo();
    Decision ask_policy_service(const Restriction& one, int depth);
    Decision unverified(Subject subject);
    Decision plaintext() const;

    Decision access(const Restriction& one, Check check, int depth);
    Decision access_in(table::Maps& maps, const std::vector<table::AddressKey>& keys,
                       Subject subject, int depth, const std::string& spec);
    Decision access_result(const std::string& value, Subject subject, int depth,
                           const std::string& spec);

    Decision mail_action(ipc::MailActionKind kind, std::string_view text, Subject subject,
                         const std::string& spec, const std::string& value);

    // smtpd_log_access_permit_actions; `from` is the table that has the action.
    Decision permit(std::string_view action, Subject subject, std::string_view from = {});
    Subject permitted_by(Check check) const;
    void note(ipc::PolicyNoteKind kind, std::string_view text);

    // Refusals. `rejected` makes "<name>: Recipient address rejected: why".
    Decision refuse(int code, std::string_view status, std::string text);
    Decision rejected(int code, std::string_view status, Subject subject, std::string_view why);
    Decision lookup_failure(const Error& error, Subject subject);
    Decision server_error(const std::string& warning);

    std::string name_of(Subject subject) const;
    static std::string_view class_of(Subject subject);
    const std::string& trace() const { return question_.session.str(); }

    Engine& engine_;
    const Options& options_;
    const ipc::PolicyQuestion& question_;
    std::string sender_, recipient_;  // complete
    Subject subject_ = Subject::client;
    bool warn_only_ = false;
    std::string_view parameter_;  // whose list we are in
    std::vector<const Restriction*>
        path_;           // the restriction at work, below the classes that name it
    std::string found_;  // where in a table: " (hash:/x, key example.com)"
    std::string rule_, permit_rule_;
    std::vector<ipc::MailAction> actions_;
    std::vector<ipc::PolicyNote> notes_;
    std::string if_permit_rule_, if_reject_rule_;  // who set these doubts
    std::optional<Reply> defer_if_permit_, defer_if_reject_;
};

}  // namespace postern::policy
