// ImapSource: another IMAP server as one that mail is fetched from: connection, TLS, login,
// commands. Blocking, each wait with a deadline. Nothing on the server changes: folders are
// EXAMINEd, messages PEEKed at.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/imap/client_response.h"
#include "lib/net/stream.h"

namespace postern::commands {

struct ImapAccount {
    std::string host;
    std::uint16_t port = 0;  // 0: 993, or 143
    bool tls_first = true;   // imaps://
    std::string user, password;
    std::string ca_file;     // empty: the system's certificates
    bool verify = true;      // the server's certificate
    bool plaintext = false;  // a password without TLS
};
// "imaps://host", "imap://host:1143", "host" (imaps). Errc::invalid.
Result<ImapAccount> parse_imap_server(std::string_view text);

class ImapSource {
  public:
    static Result<ImapSource> open(const ImapAccount& account);

    using OnData = std::function<Result<void>(const imap::ServerResponse&)>;
    // Sends the command and hands over what comes before its end. Errc::denied: NO or BAD, with the
    // server's words.
    Result<void> run(std::string_view command, const OnData& on_data = {});
    bool can(const std::string& capability) const { return capabilities_.contains(capability); }
    void finish();  // LOGOUT

  private:
    explicit ImapSource(net::Stream stream) : stream_(std::move(stream)) {}
    Result<void> begin(const ImapAccount& account);
    Result<void> start_tls(const ImapAccount& account);
    Result<void> log_in(const ImapAccount& account);
    Result<imap::ServerResponse> read();
    Result<void> learn_capabilities();
    void take_capabilities(const std::vector<imap::Value>& words);

    net::Stream stream_;
    std::set<std::string> capabilities_;
    int commands_ = 0;
};

}  // namespace postern::commands
