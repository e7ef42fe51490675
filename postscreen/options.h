// Everything of main.cf that postscreen heeds, read in one place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/config/character_set.h"
#include "lib/service/key_files.h"
#include "lib/tls/context.h"

#include "postscreen/dns_lists.h"

namespace postern::config {
class Config;
}

namespace postern::postscreen {

// What happens to a client that fails a test: it is only logged; it is refused when it names a
// recipient, so that the log has the whole story; it is disconnected.
enum class Action : unsigned char { ignore, enforce, drop };

struct ScreenTest {
    bool enabled = false;
    Action action = Action::ignore;
    Seconds lifetime{0};  // of a passed test
};

struct Options {
    std::string hostname = "localhost";
    std::string smtpd_banner = "localhost ESMTP";  // of our own greeting
    std::vector<std::string> access_list;
    std::string mynetworks, allowlist_interfaces = "static:all";
    Action denylist_action = Action::ignore;
    bool respectful = true;  // the words of the log

    ScreenTest greet, lists, pipelining, non_smtp, bare_newline;
    std::string teaser;  // the first line of the greeting; empty: none
    Millis greet_wait{6000};
    std::vector<DnsList> dns_lists;
    int list_threshold = 1;
    int allow_threshold = 0;  // 0: none
    Seconds list_min_lifetime{60};
    Millis list_timeout{10'000};
    std::string reply_map;  // what clients are told instead of a list's name
    std::vector<std::string> forwarders;

    std::string cache_map;
    Seconds cache_retention{0}, cache_cleanup{0};

    std::size_t clients_per_address = 50, under_test = 100, waiting_for_server = 100;
    std::size_t command_limit = 20;
    Millis command_time{300'000};
    std::vector<std::string> forbidden_commands, hidden_keywords;
    std::string hidden_keyword_maps;
    std::string command_filter, reject_footer_maps;  // tables
    std::string reject_footer;
    config::CharacterSet expansion = config::CharacterSet::all();  // postscreen_expansion_filter
    bool helo_required = false, no_vrfy = false;
    std::optional<tls::ServerContext> tls;  // none: STARTTLS is not offered
    bool offers_tls = false, tls_required = false;
    int tls_loglevel = 0;
    std::uint64_t message_size_limit = 0;

    bool haproxy = false;
    Millis proxy_timeout{5000};
    std::string smtpd_path = "private/smtpd";

    // Errors name the parameter.
    static Result<Options> from(const config::Config& config, const service::KeyFiles& keys);
};

}  // namespace postern::postscreen
