// ClientRules: the parameters of smtpd that need tables, which smtpd does not read: what a client
// may do, and what becomes of single lines.
#pragma once

#include <string>

#include "lib/config/config.h"
#include "lib/ipc/messages/policy.h"
#include "lib/table/maps.h"
#include "lib/table/match_list.h"

namespace postern::policy {

class ClientRules {
  public:
    explicit ClientRules(const config::Config& config);

    ipc::ClientTraits about(const ipc::ClientQuestion& question);
    ipc::MapAnswer find(const ipc::MapQuestion& question);

  private:
    // Whether the client is in a list; a list that cannot tell sets `failed`.
    bool rewrites_headers(const ipc::ClientQuestion& client, bool& failed);
    static bool is_in(table::MatchList& list, const ipc::ClientQuestion& client, bool& failed);
    // The value for the client's address; false without one.
    static bool look_up(table::Maps& maps, const ipc::ClientQuestion& client, std::string& value,
                        std::size_t max, bool& failed);

    table::MatchList exceptions_, xclient_, xforward_, debug_, without_auth_, omitting_cr_, verp_;
    table::MatchList
        rewriting_networks_;  // $mynetworks, where local_header_rewrite_clients has them
    table::Maps rewriting_;
    const std::string usual_hidden_;  // smtpd_discard_ehlo_keywords
    table::Maps hidden_keywords_, commands_, footers_;
};

}  // namespace postern::policy
