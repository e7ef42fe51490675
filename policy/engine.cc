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
      rbl_replies_(table::Maps::open(options_.rbl_reply_maps)),
      sender_logins_(table::Maps::open(options_.sender_login_maps)),
      client_certificates_(table::Maps::open(options_.relay_clientcerts)),
      listed_(options_, domains_, users) {
    const auto is_class = [this](std::string_view name) { return options_.classes.contains(name); };
    for (const auto& [name, text] : options_.classes) {
        classes_.emplace(name, parse_restrictions(text, is_class));
    }
    lists_.client = parse_restrictions(options_.client_restrictions, is_class);
    lists_.helo = parse_restrictions(options_.helo_restrictions, is_class);
    lists_.sender = parse_restrictions(options_.sender_restrictions, is_class);
    lists_.relay = parse_restrictions(options_.relay_restrictions, is_class);
    lists_.recipient = parse_restrictions(options_.recipient_restrictions, is_class);
    lists_.data = parse_restrictions(options_.data_restrictions, is_class);
    lists_.end_of_data = parse_restrictions(options_.end_of_data_restrictions, is_class);
    lists_.etrn = parse_restrictions(options_.etrn_restrictions, is_class);
}

Engine::~Engine() = default;

ipc::PolicyAnswer Engine::answer(const ipc::PolicyQuestion& question) {
    Evaluation evaluation(*this, question);
    const Decision decision = evaluation.run();
    ipc::PolicyAnswer answer;
    answer.rule = evaluation.rule();
    answer.actions = std::move(evaluation.actions());
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
