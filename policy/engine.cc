#include "policy/engine.h"

#include "lib/base/strings.h"

#include "policy/evaluation.h"

namespace postern::policy {

Reply make_reply(int code, std::string_view status, std::string_view text) {
    Reply reply{code, std::string(status), std::string(text)};
    // RFC 3463 3.1: the class of the status is that of the code.
    if (!reply.status.empty()) reply.status[0] = static_cast<char>('0' + code / 100);
    return reply;
}

Reply configuration_error() { return make_reply(451, "4.3.5", "Server configuration error"); }

Engine::Engine(Options options, UserDirectory* users, Names* names, AddressVerifier* verifier,
               const Clock& clock)
    : options_(std::move(options)),
      names_(names),
      verifier_(verifier),
      clock_(clock),
      domains_(options_.domains),
      mynetworks_(table::MatchList::parse(options_.mynetworks, options_.mynetworks_parents)),
      mx_backup_networks_(
          table::MatchList::parse(options_.mx_backup_networks, options_.mx_backup_parents)),
      told_permits_(table::MatchList::parse(options_.told_permits, table::Parents::plain)),
      rbl_replies_(table::Maps::open(options_.rbl_reply_maps)),
      dns_filter_(table::Maps::open(options_.dns_reply_filter)),
      sender_logins_(table::Maps::open(options_.sender_login_maps)),
      client_certificates_(table::Maps::open(options_.relay_clientcerts)),
      listed_(options_, domains_, users) {
    const auto is_class = [this](std::string_view name) { return options_.classes.contains(name); };
    const auto parse = [&](std::string_view text) {
        return config::parse_restrictions(text, is_class);
    };
    config::RestrictionClasses classes;
    for (const auto& [name, text] : options_.classes) classes.emplace(name, parse(text));
    stops_relaying_ = config::stops_relaying(parse(options_.relay_restrictions), classes) ||
                      config::stops_relaying(parse(options_.recipient_restrictions), classes);
    for (auto& [name, items] : classes) classes_.emplace(name, with_tables(std::move(items)));
    lists_.client = with_tables(parse(options_.client_restrictions));
    lists_.helo = with_tables(parse(options_.helo_restrictions));
    lists_.sender = with_tables(parse(options_.sender_restrictions));
    lists_.relay = with_tables(parse(options_.relay_restrictions));
    lists_.recipient = with_tables(parse(options_.recipient_restrictions));
    lists_.data = with_tables(parse(options_.data_restrictions));
    lists_.end_of_data = with_tables(parse(options_.end_of_data_restrictions));
    lists_.etrn = with_tables(parse(options_.etrn_restrictions));
}

Engine::~Engine() = default;

ipc::PolicyAnswer Engine::answer(const ipc::PolicyQuestion& question) {
    if (names_ != nullptr) names_->filter_by(dns_filter_);
    Evaluation evaluation(*this, question);
    const Decision decision = evaluation.run();
    ipc::PolicyAnswer answer;
    answer.rule = evaluation.rule();
    answer.actions = std::move(evaluation.actions());
    answer.notes = std::move(evaluation.notes());
    if (!decision.refused()) {
        answer.outcome = ipc::Outcome::accept;
        answer.smtp_code = 250;
        answer.status = "2.1.5";
        answer.text = "Ok";
        return answer;
    }
    Reply reply = decision.reply;
    if (options_.soft_bounce && reply.code >= 500) {
        reply.code -= 100;
        if (!reply.status.empty()) reply.status[0] = '4';
    }
    answer.outcome = reply.code < 500 ? ipc::Outcome::defer : ipc::Outcome::reject;
    answer.smtp_code = static_cast<std::uint16_t>(reply.code);
    answer.status = reply.status.substr(0, 16);
    answer.text = printable(reply.text, ipc::kMaxText);
    answer.disconnect = reply.code == 421 || reply.code == 521;
    return answer;
}

}  // namespace postern::policy
