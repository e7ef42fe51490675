// Engine: the restriction lists of one smtpd service, ready to answer questions. Pure but for
// tables and the directories that it is given: no socket, no clock. One Engine per service name,
// because each entry of master.cf may override parameters.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/ipc/messages/policy.h"
#include "lib/ipc/messages/verify.h"
#include "lib/table/address_class.h"
#include "lib/table/match_list.h"

#include "policy/delegation.h"
#include "policy/options.h"
#include "policy/reply.h"
#include "policy/restriction.h"
#include "policy/unlisted.h"

namespace postern::policy {

// What the DNS says about a name, for reject_unknown_*_domain and reject_rbl_client.
class Names {
  public:
    virtual ~Names() = default;
    // From now on these tables say which records do not count (smtpd_dns_reply_filter). Borrowed.
    virtual void filter_by(table::Maps&) {}
    // Has the domain an MX or an address record?
    virtual Lookup<bool> receives_mail(const std::string& domain) = 0;
    // The first A record of the name, as text.
    virtual Lookup<std::string> address(const std::string& name) = 0;
    // The TXT record of the name.
    virtual Lookup<std::string> text(const std::string& name) = 0;
    // The name of an address: found only when it resolves back to the address (`verified`).
    virtual Lookup<std::string> name_of(const IpAddress& address, bool verified) = 0;
    // The MX or NS hosts of a domain, best first. A null MX
    // is an empty list.
    struct Server {
        std::string name;
        unsigned preference = 0;
    };
    virtual Lookup<std::vector<Server>> servers(const std::string& domain, ServerKind kind) = 0;
    // All its addresses.
    virtual Lookup<std::vector<IpAddress>> addresses(const std::string& name) = 0;
};

// Whether an address takes mail (verify). An Error: nobody answers.
class AddressVerifier {
  public:
    virtual ~AddressVerifier() = default;
    virtual Result<ipc::VerifyAnswer> ask(const std::string& address) = 0;
    virtual void pause(Seconds time) = 0;
};

class Engine {
  public:
    // `users`, `names` and `verifier` are borrowed and may be null: then users are those of the
    // tables, and checks that need the DNS or the verifier are temporary failures.
    Engine(Options options, UserDirectory* users, Names* names, AddressVerifier* verifier = nullptr,
           const Clock& clock = SystemClock::instance());
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    ipc::PolicyAnswer answer(const ipc::PolicyQuestion& question);

  private:
    friend class Evaluation;
    struct Lists {
        RestrictionList client, helo, sender, relay, recipient, data, end_of_data, etrn;
    };

    const Options options_;
    Names* names_;
    AddressVerifier* verifier_;
    const Clock& clock_;
    table::DomainClasses domains_;
    table::MatchList mynetworks_, mx_backup_networks_;
    table::MatchList told_permits_;
    table::Maps rbl_replies_, dns_filter_;
    table::Maps sender_logins_;
    table::Maps client_certificates_;
    ListedAddresses listed_;
    Delegation delegation_;
    std::map<std::string, RestrictionList, std::less<>> classes_;
    Lists lists_;
    bool stops_relaying_ = false;
};

}  // namespace postern::policy
