// Delegation: check_policy_service: the question to a policy server (Postfix's SMTPD_POLICY_README
// protocol): "name=value" lines and an empty one; the answer is "action=…" with what an access
// table may say. Connections are kept. Blocking with a deadline on every wait: policy is a worker.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/ipc/messages/policy.h"
#include "lib/table/stream.h"

namespace postern::policy {

struct DelegationOptions {
    Millis timeout{100'000}, retry_delay{1'000};
    Millis max_idle{300'000}, max_ttl{1'000'000};  // of a connection
    std::size_t request_limit = 0;                 // on one; 0: any number
    std::size_t try_limit = 2;
    std::string default_action = "451 4.3.5 Server configuration problem";
    std::string context;
};

// "inet:127.0.0.1:10023", or "{ unix:private/spf, timeout=10s, default_action=DUNNO }".
struct DelegationTarget {
    std::string address;
    DelegationOptions options;
    // Errc::invalid names the attribute that is wrong; `base` is what it does not say.
    static Result<DelegationTarget> parse(std::string_view text, const DelegationOptions& base);
};

// The question, without its final empty line. A value never contains a line end. Pure.
std::string delegation_request(const ipc::PolicyQuestion& question, const std::string& context);

class Delegation {
  public:
    explicit Delegation(const Clock& clock = SystemClock::instance()) : clock_(clock) {}

    // The action that the server wants, or the default action after all attempts; never an error.
    std::string ask(const DelegationTarget& target, const ipc::PolicyQuestion& question);

  private:
    Result<std::string> attempt(const DelegationTarget& target, const std::string& request);

    struct Kept {
        table::Stream stream;
        SteadyTime made, used;
        std::size_t requests = 0;
        bool worn_out(const DelegationOptions& options, SteadyTime now) const;
    };
    const Clock& clock_;
    std::map<std::string, Kept, std::less<>> kept_;
};

}  // namespace postern::policy
