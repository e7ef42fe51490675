#include "forwarder/attempts.h"

#include "lib/ipc/messages/limits.h"

namespace postern::forwarder {

std::vector<std::size_t> Attempts::open() const {
    std::vector<std::size_t> indexes;
    for (std::size_t i = 0; i < decisions_.size(); ++i) {
        if (!decisions_[i].final) indexes.push_back(i);
    }
    return indexes;
}

void Attempts::on_outcomes(const std::vector<std::size_t>& tried,
                           const std::vector<smtp::RecipientOutcome>& outcomes,
                           const smtp::PeerName& peer, bool dsn_offered, bool more_hosts) {
    for (std::size_t i = 0; i < tried.size() && i < outcomes.size(); ++i) {
        Decision& decision = decisions_[tried[i]];
        decision.outcome = outcomes[i];
        decision.relay = peer.with_port();
        decision.remote_host = peer.host;
        decision.site_down = false;
        decision.passed_on = dsn_offered && outcomes[i].verdict.accepted();
        decision.final = !outcomes[i].verdict.deferred() || !more_hosts;
    }
}

void Attempts::on_failure(const smtp::RecipientOutcome& outcome, const smtp::PeerName* peer,
                          bool more_hosts) {
    for (std::size_t i : open()) {
        Decision& decision = decisions_[i];
        decision.outcome = outcome;
        decision.relay = peer ? peer->with_port() : "none";
        decision.remote_host = peer ? peer->host : "";
        decision.site_down = outcome.verdict.deferred();
        decision.passed_on = false;
        decision.final = !outcome.verdict.deferred() || !more_hosts;
    }
}

void Attempts::give_up(const Verdict& verdict) {
    for (Decision& decision : decisions_) {
        if (decision.final) continue;
        if (decision.outcome.verdict.text.empty()) {
            decision.outcome = {verdict, ""};
            decision.site_down = verdict.deferred();
        }
        decision.final = true;
    }
}

void Attempts::loop_back(const Verdict& verdict) {
    for (std::size_t i : open()) decisions_[i].loops_back = true;
    give_up(verdict);
}

void Attempts::retell(std::size_t i, const queue::VerdictFilter& filter) {
    Decision& decision = decisions_[i];
    if (!filter || decision.loops_back) return;
    Verdict& verdict = decision.outcome.verdict;
    verdict = filter(std::move(verdict));
    decision.site_down = decision.site_down && verdict.deferred();
}

ipc::RecipientReport make_report(std::uint32_t index, const Decision& decision, bool final) {
    const Verdict& verdict = decision.outcome.verdict;
    ipc::RecipientReport report;
    report.index = index;
    report.status = verdict.status.substr(0, 16);
    report.text = verdict.text.substr(0, ipc::kMaxReportText);
    report.remote_mta = decision.remote_host.substr(0, ipc::kMaxName);
    report.diagnostic = decision.outcome.reply.substr(0, ipc::kMaxReportText);
    if (!report.diagnostic.empty()) report.diagnostic_type = "smtp";
    report.site_down = decision.site_down;
    report.loops_back = decision.loops_back;
    switch (verdict.kind) {
        case Verdict::Kind::accept:
            report.outcome = ipc::Outcome::accept;
            report.action =
                final && !decision.passed_on ? ipc::DsnAction::delivered : ipc::DsnAction::relayed;
            report.passed_on = decision.passed_on;
            break;
        case Verdict::Kind::defer:
            report.outcome = ipc::Outcome::defer;
            report.action = ipc::DsnAction::delayed;
            break;
        case Verdict::Kind::reject:
            report.outcome = ipc::Outcome::reject;
            report.action = ipc::DsnAction::failed;
            break;
    }
    return report;
}

}  // namespace postern::forwarder
