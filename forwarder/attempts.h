// Attempts: what is decided about each recipient of a request, and what is still to be tried at the
// next host. Pure: the rules of falling back, apart from the waiting.
#pragma once

#include <string>
#include <vector>

#include "lib/ipc/messages/deliver.h"
#include "lib/queue/agent_report.h"
#include "lib/smtp/client_session.h"

namespace postern::forwarder {

// How one recipient ended.
struct Decision {
    bool final = false;
    smtp::RecipientOutcome outcome;
    std::string relay = "none";  // host[address]:port, if a server was reached
    std::string remote_host;
    bool site_down = false;
    bool loops_back = false;  // no host is better than we are
    bool passed_on = false;  // the server announced DSN, and was told what the sender wants to hear
};

class Attempts {
  public:
    explicit Attempts(std::size_t recipients) : decisions_(recipients) {}

    // Indexes of recipients without a final decision.
    std::vector<std::size_t> open() const;
    bool done() const { return open().empty(); }

    // One transaction over: outcomes belong to `tried`, in order. A deferred recipient stays open
    // while there is another host to try; its outcome is remembered.
    void on_outcomes(const std::vector<std::size_t>& tried,
                     const std::vector<smtp::RecipientOutcome>& outcomes,
                     const smtp::PeerName& peer, bool dsn_offered, bool more_hosts);
    // No transaction took place: all open recipients share the outcome. reached: relay= names the
    // peer.
    void on_failure(const smtp::RecipientOutcome& outcome, const smtp::PeerName* peer,
                    bool more_hosts);

    // Nothing is left to try: a recipient that was refused for now keeps that answer, the others
    // get this.
    void give_up(const Verdict& verdict);
    // Their domain's best host is this one: who has no answer yet gets that verdict.
    void loop_back(const Verdict& verdict);

    // What that one's outcome is told as; a refusal is not the site's failure.
    void retell(std::size_t i, const queue::VerdictFilter& filter);

    const Decision& operator[](std::size_t i) const { return decisions_[i]; }

  private:
    std::vector<Decision> decisions_;
};

// The report for qmgr about one recipient. `final`: the server, unless it knows DSN, is taken for
// where mail ends (lmtp_assume_final); other hosts take it on.
ipc::RecipientReport make_report(std::uint32_t index, const Decision& decision, bool final);

}  // namespace postern::forwarder
