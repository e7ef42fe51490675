// ServerRules: what tables say of single servers and their replies: extensions that are not to be
// used (smtp_discard_ehlo_keyword_address_maps), replies that are to be taken for others
// (smtp_reply_filter), and what is done differently behind a PIX firewall
// (smtp_pix_workaround_maps).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/smtp/client_session.h"
#include "lib/table/maps.h"

namespace postern::forwarder {

class ServerRules {
  public:
    ServerRules(std::string_view discard_maps, std::string_view reply_filter,
                std::string_view pix_maps = {});

    // The extensions that are not used with this server, as a list says them; nothing: the usual
    // ones.
    std::optional<std::vector<std::string>> ignored_extensions(const std::string& address);
    // The workarounds for this server; nothing: the usual ones.
    std::optional<smtp::PixWorkarounds> pix_workarounds(const std::string& address);
    bool filters_replies() const { return !replies_.empty(); }
    // What a line of a reply becomes; nothing: it stays. `server` is for the log. A table that
    // fails makes it "421 4.3.0 ...": the mail waits.
    std::optional<std::string> filtered(std::string_view line, std::string_view server);

  private:
    table::Maps discarded_, replies_, pix_;
};

// "disable_esmtp, delay_dotcrlf"; a word that is neither is passed over with a warning that names
// `where`, as in Postfix.
smtp::PixWorkarounds parse_pix_workarounds(std::string_view words, std::string_view where);
// "disable_esmtp delay_dotcrlf", "" for none.
std::string pix_names(const smtp::PixWorkarounds& workarounds);

}  // namespace postern::forwarder
