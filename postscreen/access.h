// Access: who is let through or kept out without a test (postscreen_access_list), and at which of
// our addresses a client can pass tests (postscreen_allowlist_interfaces).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/table/maps.h"
#include "lib/table/match_list.h"

#include "postscreen/options.h"

namespace postern::postscreen {

class Access {
  public:
    explicit Access(const Options& options);

    enum class Word : unsigned char { permit, reject, dunno };
    // A table that fails is warned of and says nothing.
    Word about(const IpAddress& client);
    bool lets_pass(const IpAddress& server);
    // "discard" keywords for this client, in capitals.
    std::vector<std::string> hidden_keywords(const std::string& client);
    // postscreen_command_filter: the command to obey instead.
    std::optional<std::string> replacement(std::string_view command);
    // What stands below this refusal (without its line end); empty: nothing.
    std::string footer(const std::string& reply);
    // A DNS list as clients are told of it.
    std::string list_name(const std::string& domain);

  private:
    const Options& options_;
    table::MatchList networks_, interfaces_;
    struct Rule {
        bool networks = false;
        table::Maps table;
    };
    std::vector<Rule> rules_;
    table::Maps hidden_, reply_map_, commands_, footers_;
};

}  // namespace postern::postscreen
